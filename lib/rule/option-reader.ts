/**
 * Reads the members of an option message, and checks their names, number and types. `schema` leaves options unchecked,
 * whether they are from a `.proto` or from a service config.
 */
import type { OptionMessage, OptionValue } from '../schema/types.js';
import { nearestName, type Problem, type ProblemList, type SourcePlace } from '../status.js';
import { quote } from '../uri.js';
import { HIDDEN_FIELD } from './field-path.js';

/** A value and its place. */
export interface Located<T> {
  readonly value: T;
  readonly place: SourcePlace;
}

/** Reports the problems of one RPC with its name. */
export class RpcProblems {
  constructor(
    /** Full name of the RPC, or a selector of several; undefined for problems of no RPC. */
    readonly rpc: string | undefined,
    private readonly list: ProblemList,
  ) {}

  /** A part of the schema that callers may not see is as its authors wanted it: what needs it is only warned of. */
  error(problem: Omit<Problem, 'rpc'>): void {
    if (problem.code === HIDDEN_FIELD) this.warn(problem);
    else this.list.error(this.named(problem));
  }

  warn(problem: Omit<Problem, 'rpc'>): void {
    this.list.warn(this.named(problem));
  }

  private named(problem: Omit<Problem, 'rpc'>): Problem {
    return this.rpc === undefined ? problem : { ...problem, rpc: this.rpc };
  }
}

/**
 * One option message. The constructor reports unknown members. Each accessor reports an invalid member, and treats it as
 * missing.
 */
export class OptionReader {
  /**
   * @param typeName full name of the message type, for messages.
   * @param members the valid names.
   */
  constructor(
    private readonly option: OptionMessage,
    private readonly typeName: string,
    members: readonly string[],
    private readonly problems: RpcProblems,
  ) {
    for (const { name, place } of option.fields) {
      if (!members.includes(name)) this.reportUnknown(name, place, members);
    }
  }

  /** Place of the message. */
  get place(): SourcePlace {
    return this.option.place;
  }

  /** True if one of these members is present, even if it is invalid. */
  hasAny(names: readonly string[]): boolean {
    return this.option.fields.some(({ name }) => names.includes(name));
  }

  text(name: string): Located<string> | undefined {
    return this.single(name, isString, 'a string');
  }

  integer(name: string): Located<number | bigint> | undefined {
    return this.single(name, isInteger, 'an integer');
  }

  boolean(name: string): Located<boolean> | undefined {
    return this.single(name, isBoolean, 'true or false');
  }

  message(name: string): Located<OptionMessage> | undefined {
    return this.single(name, isOptionMessage, 'a message: { … }');
  }

  /** The messages of a repeated member. */
  messages(name: string): OptionMessage[] {
    return this.located(name, isOptionMessage, 'a message: { … }').map(({ value }) => value);
  }

  private single<T extends OptionValue>(
    name: string,
    is: (value: OptionValue) => value is T,
    expected: string,
  ): Located<T> | undefined {
    const [first, second] = this.located(name, is, expected);
    if (second !== undefined) {
      this.problems.error({
        code: 'option-duplicate',
        message: `${name} of ${this.typeName} is set twice`,
        place: second.place,
        hint: 'set it once',
      });
    }
    return first;
  }

  private located<T extends OptionValue>(
    name: string,
    is: (value: OptionValue) => value is T,
    expected: string,
  ): Located<T>[] {
    const found: Located<T>[] = [];
    for (const field of this.option.fields) {
      if (field.name !== name) continue;
      if (is(field.value)) found.push({ value: field.value, place: field.place });
      else this.reportType(name, field.value, field.place, expected);
    }
    return found;
  }

  private reportType(name: string, value: OptionValue, place: SourcePlace, expected: string): void {
    this.problems.error({
      code: 'option-type',
      message: `${name} of ${this.typeName} is ${describeValue(value)}, expected ${expected}`,
      place,
    });
  }

  private reportUnknown(name: string, place: SourcePlace, members: readonly string[]): void {
    const near = nearestName(name, members);
    this.problems.error({
      code: 'option-unknown',
      message: `${this.typeName} has no member ${quote(name)}`,
      place,
      hint: near === undefined ? `its members are ${members.join(', ')}` : `did you mean ${near}?`,
    });
  }
}

function isString(value: OptionValue): value is string {
  return typeof value === 'string';
}

function isBoolean(value: OptionValue): value is boolean {
  return typeof value === 'boolean';
}

function isInteger(value: OptionValue): value is number | bigint {
  return typeof value === 'bigint' || Number.isInteger(value);
}

function isOptionMessage(value: OptionValue): value is OptionMessage {
  return typeof value === 'object' && 'fields' in value;
}

function describeValue(value: OptionValue): string {
  if (typeof value === 'string') return `the string ${quote(value)}`;
  if (typeof value === 'object') return 'fields' in value ? 'a message' : `the name ${quote(value.identifier)}`;
  return typeof value === 'boolean' ? `${value}` : `the number ${value}`;
}
