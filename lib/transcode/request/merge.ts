/**
 * Writes one request message from two sources: values bound by name (path, query, headers) and the wire bytes of the body.
 * A nested message is written once even if its fields come from both, because several widespread decoders replace a
 * repeated occurrence instead of merging it.
 *
 * The binders have decided which source may set which field. Only conflicts with the body are checked here: a bound field
 * that the body sets to another value, and a second member of a oneof.
 */
import type { FieldDescriptor } from '../../schema/types.js';
import type { FieldViolation } from '../../status.js';
import { makeTag, Reader, WireType, type Writer } from '../../wire/index.js';
import { MAX_VIOLATIONS, type TextReader, ValueError } from '../../codec/index.js';
import { quote } from '../../uri.js';
import type { TranscodeContext } from '../context.js';
import { tagBytes } from '../submessage.js';

/** One text value and the reader of its field. */
export interface BoundValue {
  readonly field: FieldDescriptor;
  readonly read: TextReader;
  /** Percent-decoded. */
  readonly text: string;
  /** Its name in error messages: the parameter as the client wrote it, or the variable of the template. */
  readonly label: string;
  /** Its source in error messages: `the path`, `the header if-match`. */
  readonly source: string;
  /** True if it replaces what the body says. Default: the body must say the same. */
  readonly replacesBody?: boolean;
}

/** A message field, an element of a list of messages, or an entry of a map that has values inside. */
interface Branch {
  readonly field: FieldDescriptor;
  /** Distinguishes elements and entries of one field; '' for a singular message. */
  readonly element: string;
  /** Index in a list, else 0. */
  readonly index: number;
  /** Wire bytes of the key, for a map entry. */
  readonly keyEntry: Buffer | undefined;
  readonly node: MessageNode;
}

/** The values bound inside one message, and its bytes from the body. */
export class MessageNode {
  /** Tagged fields of this message from the body. */
  bodyPart: Buffer | undefined;
  private values: BoundValue[] | undefined;
  /** By field and element; a form may have as many elements as fit into a body. */
  private branches: Map<string, Branch> | undefined;
  private isOrdered = true;

  /** True if the message comes from the body alone. */
  get holdsBodyAlone(): boolean {
    return this.values === undefined && this.branches === undefined && this.bodyPart !== undefined;
  }

  /** Binds a value of this message. */
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

  /** The node at the end of a path of singular message fields; made when first asked for. */
  descend(path: readonly FieldDescriptor[]): MessageNode {
    return path.reduce<MessageNode>((node, field) => node.child(field), this);
  }

  /** Writes the message. If anything is added to `violations`, the bytes must not be used. */
  write(out: Writer, context: MergeContext): void {
    const waiting = out.waitingCount;
    this.writeFields(out, context);
    out.settle(waiting);
  }

  /** The same inside another message: lengths of more than a byte are written when that is complete. */
  writeFields(out: Writer, context: MergeContext): void {
    if (this.bodyPart !== undefined) this.writeBodyPart(out, this.bodyPart, context);
    if (this.values !== undefined) for (const value of this.values) writeValue(out, value, context);
    if (this.branches !== undefined)
      for (const branch of this.inOrder(this.branches)) writeBranch(out, branch, context);
  }

  /** Elements of a list in the order of their indices, the rest in the order of arrival. */
  private inOrder(branches: ReadonlyMap<string, Branch>): Iterable<Branch> {
    return this.isOrdered ? branches.values() : [...branches.values()].sort((a, b) => a.index - b.index);
  }

  /** Copies the body's fields, except those that a child writes or that a bound value repeats. */
  private writeBodyPart(out: Writer, body: Buffer, context: MergeContext): void {
    if (this.values === undefined && this.branches === undefined) {
      out.raw(body);
      return;
    }
    const rules = this.bodyRules();
    const pieces = new Map<MessageNode, Buffer[]>();
    let copied = 0;
    for (const entry of entriesOf(body)) {
      const rule = rules.get(entry.number);
      if (rule === undefined) continue;
      if (rule.oneofConflict !== undefined) reportOneofConflict(rule, context);
      if (rule.value !== undefined && context.bodyWins) {
        // Elements of both make one list.
        if (!rule.value.field.repeated) this.remove(rule.value.field);
        continue;
      }
      if (rule.value !== undefined) checkEqual(rule.value, body.subarray(entry.start, entry.end), context);
      else if (rule.branch !== undefined)
        addPiece(pieces, rule.branch, body.subarray(entry.contentStart, entry.contentEnd));
      else continue;
      out.rawRange(body, copied, entry.start);
      copied = entry.end;
    }
    out.rawRange(body, copied, body.length);
    for (const [node, parts] of pieces) node.bodyPart = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }

  /** What the bound values demand of the body's fields, by number. Made once, so that a large form costs one pass. */
  private bodyRules(): ReadonlyMap<number, BodyRule> {
    const rules = new Map<number, BodyRule>();
    const ruleOf = (number: number): BodyRule => {
      const found = rules.get(number) ?? {};
      rules.set(number, found);
      return found;
    };
    const excludeOthers = (field: FieldDescriptor, label: string): void => {
      for (const other of field.oneof?.fields ?? []) {
        if (other !== field) ruleOf(other.number).oneofConflict ??= { field, label, found: other };
      }
    };
    for (const value of this.values ?? []) {
      ruleOf(value.field.number).value ??= value;
      excludeOthers(value.field, value.label);
    }
    for (const { field, element, node } of this.branches?.values() ?? []) {
      if (element === '') ruleOf(field.number).branch = node;
      excludeOthers(field, node.firstLabel ?? field.name);
    }
    return rules;
  }

  /** The label of the first value in here. */
  private get firstLabel(): string | undefined {
    const value = this.values?.[0];
    if (value !== undefined) return value.label;
    for (const { node } of this.branches?.values() ?? []) return node.firstLabel;
    return undefined;
  }

  /** Binds a value in the place of one that is there. Undefined, or the other member of its oneof that is there. */
  replace(value: BoundValue): FieldDescriptor | undefined {
    const { field } = value;
    const isSet = (other: FieldDescriptor): boolean =>
      this.values?.some((bound) => bound.field === other) === true || this.branches?.has(`${other.number}/`) === true;
    const other = field.oneof?.fields.find((member) => member !== field && isSet(member));
    if (other === undefined) {
      if (!field.repeated) this.remove(field);
      this.add(value);
    }
    return other;
  }

  /** The value that is bound to a field of this message. */
  bound(field: FieldDescriptor): BoundValue | undefined {
    return this.values?.find((value) => value.field === field);
  }

  /** Removes and returns the value of a field. */
  remove(field: FieldDescriptor): BoundValue | undefined {
    const index = this.values?.findIndex((value) => value.field === field) ?? -1;
    return index < 0 ? undefined : this.values!.splice(index, 1)[0];
  }
}

/** What bound values demand of one field of the body. */
interface BodyRule {
  /** The field is bound: the body must have the same value. */
  value?: BoundValue;
  /** Fields inside it are bound: its bytes move to this node. */
  branch?: MessageNode;
  /** Another member of its oneof is bound. */
  oneofConflict?: { readonly field: FieldDescriptor; readonly label: string; readonly found: FieldDescriptor };
}

/** What writing a message needs besides the values. */
export interface MergeContext {
  readonly violations: FieldViolation[];
  /** For values that are only compared. */
  readonly scratch: Writer;
  readonly overwritePathFields: boolean;
  /** What the body sets counts, and bound values of the same fields are dropped. */
  readonly bodyWins: boolean;
}

/** The context of one write. */
export function mergeContext(
  violations: FieldViolation[],
  { buffers, options }: Pick<TranscodeContext, 'buffers' | 'options'>,
): MergeContext {
  const { overwritePathFields, requestBinding, rejectBindingBodyFieldCollisions: rejects } = options;
  const bodyWins = requestBinding === 'envoy' && !rejects;
  return { violations, scratch: buffers.scratch, overwritePathFields, bodyWins };
}

function writeValue(out: Writer, value: BoundValue, context: MergeContext): void {
  if (context.violations.length >= MAX_VIOLATIONS) return;
  const start = out.pos;
  try {
    value.read(value.text, out);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    out.rewind(start);
    context.violations.push({ field: value.label, description: error.message });
  }
}

function writeBranch(out: Writer, branch: Branch, context: MergeContext): void {
  const { field } = branch;
  if (field.delimited) {
    out.uint32(makeTag(field.number, WireType.START_GROUP));
    branch.node.writeFields(out, context);
    out.uint32(makeTag(field.number, WireType.END_GROUP));
    return;
  }
  out.uint32(makeTag(field.number, WireType.BYTES));
  const mark = out.begin();
  if (branch.keyEntry !== undefined) out.raw(branch.keyEntry);
  branch.node.writeFields(out, context);
  out.finishLater(mark);
}

/** A bound value wins over the body. Another value in the body is an error unless `overwrite_path_fields` is on. */
function checkEqual(value: BoundValue, found: Buffer, context: MergeContext): void {
  if (value.replacesBody === true || context.overwritePathFields || context.violations.length >= MAX_VIOLATIONS) return;
  const { scratch } = context;
  scratch.reset();
  try {
    value.read(value.text, scratch);
  } catch (error) {
    // It is reported when the value is written.
    if (error instanceof ValueError) return;
    throw error;
  }
  if (scratch.peek().equals(found)) return;
  context.violations.push({
    field: value.label,
    description: `the body has another value than ${value.source} (${quote(value.text)}); leave it out of the body`,
  });
}

/** Keeps one occurrence of a message field of the body; protobuf merges repeated occurrences. */
function addPiece(pieces: Map<MessageNode, Buffer[]>, node: MessageNode, bytes: Buffer): void {
  const parts = pieces.get(node);
  if (parts === undefined) pieces.set(node, [bytes]);
  else parts.push(bytes);
}

function reportOneofConflict(rule: BodyRule, context: MergeContext): void {
  const { field, label, found } = rule.oneofConflict!;
  // Once is enough, however often the body has the field.
  delete rule.oneofConflict;
  context.violations.push({
    field: label,
    description: `sets the oneof "${field.oneof!.name}" that the body sets by "${found.name}"; give one of them`,
  });
}

/** Offsets of one field in wire form; `content` is what follows tag and length, or stands between the tags of a group. */
export interface Entry {
  readonly number: number;
  readonly start: number;
  readonly contentStart: number;
  readonly contentEnd: number;
  readonly end: number;
}

/** The fields of a message in wire form. */
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
