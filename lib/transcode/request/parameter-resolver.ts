/**
 * Names of query parameters and form fields → fields of one message, by the rules of one route. A plain name is resolved
 * once and kept; a name with an index or a map key is resolved each time.
 */
import type { Codec } from '../../codec/index.js';
import type { FieldDescriptor, MessageDescriptor } from '../../schema/types.js';
import { Code, UnresolvedRequest } from '../../status.js';
import type { TranscodeOptions } from '../options.js';
import { NameError, type PairNoun, resolveName, type Target, UnknownName } from './parameter-name.js';

/** A field that parameters must not set, and the reason. */
export interface Reserved {
  readonly path: readonly FieldDescriptor[];
  /** `the path /v1/{name}` / `the body`: completes "is already given by …". */
  readonly by: string;
}

/** How many names are cached: recursive types have infinitely many. */
const MAX_KEPT_NAMES = 1000;
const MAX_KEPT_NAME_LENGTH = 200;

/** Resolves the names of one route. */
export class ParameterResolver {
  private readonly targets = new Map<string, Target>();

  /** @param root message that the names are relative to; undefined: every name is unknown (`body: "*"`). */
  constructor(
    readonly noun: PairNoun,
    private readonly root: MessageDescriptor | undefined,
    private readonly reserved: readonly Reserved[],
    private readonly codec: Codec,
    private readonly options: TranscodeOptions,
  ) {}

  /** True for a name that `ignore_query` lists. */
  isIgnored(name: string): boolean {
    return this.options.ignoreQuery.some((entry) =>
      entry.endsWith('*')
        ? name.startsWith(entry.slice(0, -1))
        : entry === name || (entry.endsWith('_') && name.startsWith(entry)),
    );
  }

  /**
   * The field that a name stands for; undefined if the options say to skip the name.
   * @throws NameError if no field has that name, or if the path or the body gives the field
   */
  resolve(name: string): Target | undefined {
    const kept = this.targets.get(name);
    if (kept !== undefined) return kept;
    if (this.root === undefined) {
      if (this.options.ignoreUnknownQuery) return undefined;
      throw new NameError(`unknown ${this.noun}: this route takes everything from the body, write it there`);
    }
    const { bracketQuery, grpcGatewayValues, maxJsonDepth } = this.options;
    if (grpcGatewayValues && this.isReservedName(name, this.root)) return undefined;
    const found = resolveName(name, this.root, this.codec, {
      noun: this.noun,
      bracketQuery,
      grpcGatewayValues,
      maxJsonDepth,
    });
    if (found instanceof UnknownName) {
      if (this.options.ignoreUnknownQuery) return undefined;
      if (this.options.passUnknownQuery && this.noun === 'query parameter') {
        throw new UnresolvedRequest(Code.INVALID_ARGUMENT, found.describe());
      }
      throw new NameError(found.describe());
    }
    this.checkReserved(found);
    this.keep(name, found);
    return found;
  }

  /** True for a name that grpc-gateway skips because the path or the body gives the field. */
  private isReservedName(name: string, root: MessageDescriptor): boolean {
    if (this.reserved.length === 0) return false;
    const path: FieldDescriptor[] = [];
    let message: MessageDescriptor | undefined = root;
    for (const part of name.replace(/\[.*/s, '').split('.')) {
      const field: FieldDescriptor | undefined = message?.field(part);
      if (field === undefined) break;
      path.push(field);
      message = field.message;
    }
    return path.length > 0 && this.reserved.some(({ path: taken }) => isOnOnePath(taken, path));
  }

  private keep(name: string, target: Target): void {
    const isPlain = target.index === undefined && target.steps.every((step) => step.element === '');
    if (!isPlain || this.targets.size >= MAX_KEPT_NAMES || name.length > MAX_KEPT_NAME_LENGTH) return;
    // A copy: a slice would keep the string that it was cut from in memory, which may be a whole body.
    this.targets.set(Buffer.from(name, 'utf8').toString('utf8'), target);
  }

  /** A parameter must not set a field that the path or the body gives, nor its parent or child. */
  private checkReserved(target: Target): void {
    const path = [...target.steps.map((step) => step.field), target.field];
    for (const { path: taken, by } of this.reserved) {
      if (isOnOnePath(taken, path)) {
        throw new NameError(
          `"${taken.map((field) => field.name).join('.')}" is given by ${by}; leave it out of the query`,
        );
      }
    }
  }

  /** What a value of a field must look like, for messages. */
  describe(field: FieldDescriptor): string {
    return this.codec.describeText(field);
  }
}

/** True if one of the two fields is the other one or contains it. */
function isOnOnePath(one: readonly FieldDescriptor[], other: readonly FieldDescriptor[]): boolean {
  const shared = Math.min(one.length, other.length);
  return one.slice(0, shared).every((field, index) => field === other[index]);
}
