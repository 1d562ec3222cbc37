/**
 * Tracks which fields the pairs of one query or form have set, to refuse a field that is given twice, two members of a oneof,
 * lists with gaps, and messages given both whole and in parts. State is kept per message, so that a pair costs time
 * proportional to the length of its name.
 */
import type { FieldDescriptor, OneofDescriptor } from '../../schema/types.js';
import type { FieldViolation } from '../../status.js';
import { quote } from '../../uri.js';
import { MAX_VIOLATIONS } from '../../codec/index.js';
import { NameError, type Target } from './parameter-name.js';
import type { BoundValue, MessageNode } from './merge.js';

/** A field that the path or a header sets: the query must not set another member of a oneof on its path. */
export interface TakenField {
  readonly path: readonly FieldDescriptor[];
  /** `the path`, `the header x-id`. */
  readonly by: string;
}

/** The field as a list of one, or none if no oneof is on its path. */
export function takenField(path: readonly FieldDescriptor[], by: string): TakenField[] {
  return path.some(({ oneof }) => oneof !== undefined) ? [{ path, by }] : [];
}

/** A name cut for error messages: the name of a form field may be as long as a body. */
export function shortName(name: string): string {
  return name.length <= 100 ? name : `${name.slice(0, 100).toWellFormed()}…`;
}

/** The elements of one list that have an index. */
interface Elements {
  /** The name of the list, for messages. */
  readonly name: string;
  readonly found: Set<number>;
  /** Elements that are not messages; added in order after the last pair. */
  readonly values: { readonly index: number; readonly value: BoundValue }[];
}

/** The names by which one field was given. */
interface Given {
  /** Gave the field itself, or an element without an index. */
  itself: string | undefined;
  /** Gave a field inside it. */
  part: string | undefined;
  /** Gave the whole message, by a file or a text. */
  whole: string | undefined;
  elements: Elements | undefined;
}

/** The member of a oneof that is set, and the start of the error if another one is given. */
interface Chosen {
  readonly member: FieldDescriptor;
  readonly given: string;
}

/** What was given of one message. A form can have as many messages as pairs, so the common case, one field, needs no Map. */
class Scope {
  private first: FieldDescriptor | undefined = undefined;
  private firstGiven: Given | undefined = undefined;
  private others: Map<FieldDescriptor, Given> | undefined = undefined;
  private oneofs: Map<OneofDescriptor, Chosen> | undefined = undefined;

  constructor(readonly node: MessageNode) {}

  of(field: FieldDescriptor): Given {
    if (this.first === undefined) {
      this.first = field;
      this.firstGiven = newGiven();
    }
    if (this.first === field) return this.firstGiven!;
    const others = (this.others ??= new Map<FieldDescriptor, Given>());
    let given = others.get(field);
    if (given === undefined) {
      given = newGiven();
      others.set(field, given);
    }
    return given;
  }

  /** Calls back for each field of which something was given. */
  forEach(visit: (given: Given) => void): void {
    if (this.firstGiven !== undefined) visit(this.firstGiven);
    this.others?.forEach(visit);
  }

  choose(oneof: OneofDescriptor, chosen: Chosen): void {
    (this.oneofs ??= new Map<OneofDescriptor, Chosen>()).set(oneof, chosen);
  }

  member(field: FieldDescriptor, name: string): void {
    const { oneof } = field;
    if (oneof === undefined) return;
    const other = this.oneofs?.get(oneof);
    if (other === undefined) {
      this.choose(oneof, { member: field, given: `${quote(name)} is given too` });
    } else if (other.member !== field) {
      throw new NameError(`${other.given}, and both are members of the oneof "${oneof.name}"; give one of them`);
    }
  }
}

function newGiven(): Given {
  return { itself: undefined, part: undefined, whole: undefined, elements: undefined };
}

/** The fields that one query or form has set so far. */
export class GivenFields {
  private readonly scopes = new Map<MessageNode, Scope>();

  /** @param taken fields that other parts of the request have bound */
  constructor(
    private readonly root: MessageNode,
    taken: readonly TakenField[],
  ) {
    for (const { path, by } of taken) this.take(path, by);
  }

  private take(path: readonly FieldDescriptor[], by: string): void {
    const given = `${by} gives ${quote(path.map(({ name }) => name).join('.'))}`;
    let scope = this.scopeOf(this.root);
    for (const [index, field] of path.entries()) {
      if (index > 0) scope = this.scopeOf(scope.node.child(path[index - 1]!));
      if (field.oneof !== undefined) scope.choose(field.oneof, { member: field, given });
    }
  }

  /**
   * Adds a value to the node of its message.
   * @param name as the client wrote it
   * @param isWhole true for a message that a file gives
   * @throws NameError if an earlier pair rules it out
   */
  add(target: Target, name: string, value: BoundValue, isWhole = false): void {
    const { field, index } = target;
    const scope = this.scopeOfTarget(target, name);
    const given = scope.of(field);
    if (given.itself !== undefined && !field.repeated) {
      const also = given.itself === name ? ', expected one value' : ` (also as ${quote(given.itself)})`;
      throw new NameError(`given more than once${also}`);
    }
    scope.member(field, name);
    if (index === undefined) {
      given.itself = name;
      // A text, such as a Timestamp, is a whole message.
      if (isWhole || (field.message !== undefined && !field.repeated)) given.whole = name;
      scope.node.add(value);
    } else {
      const { found, values } = elementsOf(given, name, target.nameEnd);
      if (found.has(index)) throw new NameError('given more than once, expected one value');
      found.add(index);
      values.push({ index, value });
    }
    if (given.itself !== undefined && given.elements !== undefined && given.elements.values.length > 0) {
      throw new NameError('elements with an index and elements without one are given; write all in one way');
    }
  }

  /** The message that holds the target's field. Marks the fields on its path as given in part. */
  private scopeOfTarget({ steps }: Target, name: string): Scope {
    let scope = this.scopeOf(this.root);
    for (const { field, element, keyEntry, nameEnd } of steps) {
      scope.member(field, name);
      const given = scope.of(field);
      given.part ??= name;
      if (element !== '' && field.repeated) elementsOf(given, name, nameEnd).found.add(Number(element));
      scope = this.scopeOf(scope.node.child(field, element, keyEntry));
    }
    return scope;
  }

  /** Sets a value in the place of what was given before; the last one counts. @throws NameError for a second member of a oneof */
  replace({ steps, index }: Target, value: BoundValue): void {
    if (index !== undefined) throw new NameError('elements with an index are not taken');
    const node = steps.reduce((at, { field, element, keyEntry }) => at.child(field, element, keyEntry), this.root);
    const other = node.replace(value);
    if (other !== undefined) throw new NameError(`oneof field '${other.oneof!.name}' is already set`);
  }

  private scopeOf(node: MessageNode): Scope {
    let scope = this.scopes.get(node);
    if (scope === undefined) {
      scope = new Scope(node);
      this.scopes.set(node, scope);
    }
    return scope;
  }

  /** Call it after the last pair: adds indexed elements in order, and reports gaps and messages given whole and in parts. */
  finish(violations: FieldViolation[]): void {
    for (const scope of this.scopes.values()) {
      scope.forEach(({ part, whole, elements }) => {
        if (whole !== undefined && part !== undefined) {
          note(violations, shortName(part), `${quote(whole)} is given as a whole too; give one of them`);
        }
        if (elements === undefined) return;
        const gap = firstGap(elements.found);
        if (gap < elements.found.size) {
          note(violations, elements.name, `element ${gap} is missing; indices run from 0 without gaps`);
        }
        for (const { value } of elements.values.sort((a, b) => a.index - b.index)) scope.node.add(value);
      });
    }
  }
}

/** @param nameEnd where the name of the list ends in the name of an element */
function elementsOf(given: Given, name: string, nameEnd: number): Elements {
  return (given.elements ??= { name: shortName(name.slice(0, nameEnd)), found: new Set(), values: [] });
}

/** Elements may come in any order, but none may be missing. */
function firstGap(found: ReadonlySet<number>): number {
  let index = 0;
  while (found.has(index)) index++;
  return index;
}

function note(violations: FieldViolation[], field: string, description: string): void {
  if (violations.length < MAX_VIOLATIONS) violations.push({ field, description });
}
