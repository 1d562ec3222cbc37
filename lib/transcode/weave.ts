/**
 * Puts one request message together from its three sources: values bound by name (path, query, headers) and the bytes
 * that the body was turned into. A nested message is written once, whatever sources its fields come from: several
 * widespread decoders replace a repeated occurrence instead of merging it.
 *
 * Who may set what is decided before, by the binders; here only what a body can still contradict is checked:
 * a path-bound field that the body holds too, and a second member of a oneof.
 */
import type { FieldDescriptor } from '../schema/types.js';
import type { FieldViolation } from '../status.js';
import { Reader, WireType, type Writer } from '../wire/index.js';
import { MAX_VIOLATIONS, type TextReader, ValueError } from '../codec/index.js';
import { quote } from '../uri.js';
import { tagBytes } from './submessage.js';

/** One text value and how it becomes a field. */
export interface BoundValue {
  readonly field: FieldDescriptor;
  readonly read: TextReader;
  /** Percent-decoded. */
  readonly text: string;
  /** What error messages call it: the parameter as the client wrote it, or the variable of the template. */
  readonly label: string;
  /** Where it stands, for messages: `the path`, `the header if-match`. */
  readonly source: string;
}

/** A message field (or one element of a list of messages, or one entry of a map) that has values below it. */
interface Branch {
  readonly field: FieldDescriptor;
  /** Tells elements and entries of one field apart; '' for a singular message. */
  readonly element: string;
  /** Index in a list; 0 for all else. */
  readonly index: number;
  /** Wire bytes of the key, for a map entry. */
  readonly keyEntry: Buffer | undefined;
  readonly node: MessageNode;
}

/** The values bound inside one message, and the body's part of it. */
export class MessageNode {
  /** Tagged fields that the body brought for this message. */
  base: Buffer | undefined;
  private values: BoundValue[] | undefined;
  /** By field and element; a form may have as many elements as fit into a body. */
  private branches: Map<string, Branch> | undefined;
  private isOrdered = true;

  /** True where the body's bytes are the whole message. */
  get holdsBodyAlone(): boolean {
    return this.values === undefined && this.branches === undefined && this.base !== undefined;
  }

  add(value: BoundValue): void {
    (this.values ??= []).push(value);
  }

  /** The node of a message field; made when first asked for. */
  child(field: FieldDescriptor, element = '', keyEntry?: Buffer): MessageNode {
    const branches = (this.branches ??= new Map<string, Branch>());
    const key = `${field.number}/${element}`;
    const found = branches.get(key);
    if (found !== undefined) return found.node;
    const index = element !== '' && field.map === undefined ? Number(element) : 0;
    const branch: Branch = { field, element, index, keyEntry, node: new MessageNode() };
    branches.set(key, branch);
    if (index > 0) this.isOrdered = false;
    return branch.node;
  }

  /** Writes the message. What is wrong with the values is added to `violations`; the bytes are then worthless. */
  write(out: Writer, context: WeaveContext): void {
    if (this.base !== undefined) this.writeBase(out, this.base, context);
    if (this.values !== undefined) for (const value of this.values) writeValue(out, value, context);
    if (this.branches !== undefined)
      for (const branch of this.inOrder(this.branches)) writeBranch(out, branch, context);
  }

  /** Elements of a list stand in the order of their indices, all else as it came. */
  private inOrder(branches: ReadonlyMap<string, Branch>): Iterable<Branch> {
    return this.isOrdered ? branches.values() : [...branches.values()].sort((a, b) => a.index - b.index);
  }

  /** Copies the body's fields, but those that a child takes over or that a bound value repeats. */
  private writeBase(out: Writer, base: Buffer, context: WeaveContext): void {
    if (this.values === undefined && this.branches === undefined) {
      out.raw(base);
      return;
    }
    const claims = this.claims();
    const pieces = new Map<MessageNode, Buffer[]>();
    let copied = 0;
    for (const entry of entriesOf(base)) {
      const claim = claims.get(entry.number);
      if (claim === undefined) continue;
      if (claim.rival !== undefined) noteRival(claim, context);
      if (claim.value !== undefined) checkEqual(claim.value, base.subarray(entry.start, entry.end), context);
      else if (claim.branch !== undefined)
        addPiece(pieces, claim.branch, base.subarray(entry.contentStart, entry.contentEnd));
      else continue;
      out.rawRange(base, copied, entry.start);
      copied = entry.end;
    }
    out.rawRange(base, copied, base.length);
    for (const [node, parts] of pieces) node.base = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }

  /** What the values below here say of the body's fields: one look at each, however many there are. */
  private claims(): ReadonlyMap<number, Claim> {
    const claims = new Map<number, Claim>();
    const claimOf = (number: number): Claim => {
      const found = claims.get(number) ?? {};
      claims.set(number, found);
      return found;
    };
    const claimRivals = (field: FieldDescriptor, label: string): void => {
      for (const other of field.oneof?.fields ?? []) {
        if (other !== field) claimOf(other.number).rival ??= { field, label, found: other };
      }
    };
    for (const value of this.values ?? []) {
      claimOf(value.field.number).value ??= value;
      claimRivals(value.field, value.label);
    }
    for (const { field, element, node } of this.branches?.values() ?? []) {
      if (element === '') claimOf(field.number).branch = node;
      claimRivals(field, field.name);
    }
    return claims;
  }

  /** Takes the value of a field out again, where there is one. */
  remove(field: FieldDescriptor): BoundValue | undefined {
    const index = this.values?.findIndex((value) => value.field === field) ?? -1;
    return index < 0 ? undefined : this.values!.splice(index, 1)[0];
  }
}

/** What is said of one field of the body by values from elsewhere. */
interface Claim {
  /** It is bound itself: the body's must be equal. */
  value?: BoundValue;
  /** Fields of it are bound: the body's are written with them. */
  branch?: MessageNode;
  /** Another member of its oneof is bound. */
  rival?: { readonly field: FieldDescriptor; readonly label: string; readonly found: FieldDescriptor };
}

/** What a write needs besides the values. */
export interface WeaveContext {
  readonly violations: FieldViolation[];
  /** For encoding a value that is only compared. */
  readonly scratch: Writer;
  readonly overwritePathFields: boolean;
}

function writeValue(out: Writer, value: BoundValue, context: WeaveContext): void {
  if (context.violations.length >= MAX_VIOLATIONS) return;
  try {
    value.read(value.text, out);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    context.violations.push({ field: value.label, description: error.message });
  }
}

function writeBranch(out: Writer, branch: Branch, context: WeaveContext): void {
  const { field } = branch;
  if (field.delimited) {
    out.uint32(((field.number << 3) | WireType.START_GROUP) >>> 0);
    branch.node.write(out, context);
    out.uint32(((field.number << 3) | WireType.END_GROUP) >>> 0);
    return;
  }
  out.uint32(((field.number << 3) | WireType.BYTES) >>> 0);
  const mark = out.begin();
  if (branch.keyEntry !== undefined) out.raw(branch.keyEntry);
  branch.node.write(out, context);
  out.finish(mark);
}

/** The path wins over the body, and says so: another value in the body is an error unless the option allows it. */
function checkEqual(value: BoundValue, found: Buffer, context: WeaveContext): void {
  if (context.overwritePathFields || context.violations.length >= MAX_VIOLATIONS) return;
  const { scratch } = context;
  scratch.reset();
  try {
    value.read(value.text, scratch);
  } catch (error) {
    // Reported when the value itself is written.
    if (error instanceof ValueError) return;
    throw error;
  }
  if (scratch.peek().equals(found)) return;
  context.violations.push({
    field: value.label,
    description: `the body has another value than ${value.source} (${quote(value.text)}); leave it out of the body`,
  });
}

/** A message field of the body; protobuf may give one several times, and means them merged. */
function addPiece(pieces: Map<MessageNode, Buffer[]>, node: MessageNode, bytes: Buffer): void {
  const parts = pieces.get(node);
  if (parts === undefined) pieces.set(node, [bytes]);
  else parts.push(bytes);
}

function noteRival(claim: Claim, context: WeaveContext): void {
  const { field, label, found } = claim.rival!;
  // Once is enough, however often the body has it.
  delete claim.rival;
  context.violations.push({
    field: label,
    description: `sets the oneof "${field.oneof!.name}" that the body sets by "${found.name}"; give one of them`,
  });
}

/** One tagged field of a message in wire form; `content` is what stands behind tag and length (or between the group tags). */
export interface Entry {
  readonly number: number;
  readonly start: number;
  readonly contentStart: number;
  readonly contentEnd: number;
  readonly end: number;
}

/** The fields of a message, one after the other. */
export function* entriesOf(message: Buffer): Generator<Entry> {
  const reader = new Reader(message);
  while (!reader.done) {
    const start = reader.pos;
    const tag = reader.tag();
    const wireType = tag & 7;
    let contentStart = reader.pos;
    if (wireType === WireType.BYTES) {
      const end = reader.lengthEnd();
      contentStart = reader.pos;
      reader.pos = end;
    } else {
      reader.skip(tag);
    }
    const end = reader.pos;
    const contentEnd = wireType === WireType.START_GROUP ? end - tagBytes(tag) : end;
    yield { number: tag >>> 3, start, contentStart, contentEnd, end };
  }
}
