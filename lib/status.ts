/**
 * What can go wrong, and its names: gRPC codes, the code → HTTP table, and the two error classes of the project.
 * A `StatusError` fails one request; a `ConfigError` fails a start-up or reload and carries every problem found.
 * This module does not render either: bodies are written by `transcode`, start-up errors by `cli`.
 */

/** The gRPC status codes (https://github.com/grpc/grpc/blob/master/doc/statuscodes.md). */
export const Code = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

const names: readonly string[] = Object.keys(Code);

/** `5` → `NOT_FOUND`. A number that gRPC does not define is named `UNKNOWN`, as gRPC itself reads it. */
export function codeName(code: number): string {
  return names[code] ?? 'UNKNOWN';
}

/** `NOT_FOUND` → `5`; undefined for anything that is not a code's name. */
export function codeByName(name: string): number | undefined {
  const code = names.indexOf(name);
  return code < 0 ? undefined : code;
}

const httpByCode: readonly number[] = [
  200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401,
];

/** HTTP status of a gRPC code, as in google.rpc.Code; a code that gRPC does not define is 500. */
export function httpStatusOf(code: number): number {
  return httpByCode[code] ?? 500;
}

/** gRPC code of an error that the proxy itself answers with this HTTP status (400 is 3, 404 is 5, 405 is 12 …). */
export function codeOfHttpStatus(status: number): number {
  switch (status) {
    case 400:
    case 414:
    case 415:
    case 417:
      return Code.INVALID_ARGUMENT;
    case 401:
      return Code.UNAUTHENTICATED;
    case 403:
      return Code.PERMISSION_DENIED;
    case 404:
      return Code.NOT_FOUND;
    case 405:
    case 501:
      return Code.UNIMPLEMENTED;
    case 408:
    case 504:
      return Code.DEADLINE_EXCEEDED;
    case 413:
    case 429:
    case 431:
      return Code.RESOURCE_EXHAUSTED;
    case 502:
    case 503:
      return Code.UNAVAILABLE;
    default:
      return Code.INTERNAL;
  }
}

/** One bad field of a request, as in google.rpc.BadRequest. */
export interface FieldViolation {
  /** Path of the field as the client wrote it: `vm.spec.cpus`. */
  readonly field: string;
  /** What was found, what was expected, and what to write. */
  readonly description: string;
}

/** A google.rpc.Status detail as it came: a google.protobuf.Any, not decoded. */
export interface StatusDetail {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

/** What a `StatusError` may carry besides code and message. */
export interface StatusErrorOptions {
  /** HTTP status where it is not that of the gRPC code (405, 413 …). */
  readonly httpStatus?: number;
  /** Bad fields; rendered as google.rpc.BadRequest. */
  readonly violations?: readonly FieldViolation[];
  /** Details as the service sent them. */
  readonly details?: readonly StatusDetail[];
  /** Extra response headers, such as `allow`. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
  /** What was thrown underneath; logged, never shown to a client. */
  readonly cause?: unknown;
}

/** Why one request fails: a gRPC code and a message that a client may read. */
export class StatusError extends Error {
  readonly code: number;
  /** HTTP status of our own errors; undefined where the gRPC code decides it. */
  readonly httpStatus: number | undefined;
  readonly violations: readonly FieldViolation[];
  readonly details: readonly StatusDetail[];
  readonly headers: readonly (readonly [name: string, value: string])[];

  constructor(code: number, message: string, options: StatusErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'StatusError';
    this.code = code;
    this.httpStatus = options.httpStatus;
    this.violations = options.violations ?? [];
    this.details = options.details ?? [];
    this.headers = options.headers ?? [];
  }

  /**
   * An error of the proxy itself, named by its HTTP status; the gRPC code follows from that.
   * `StatusError.http(404, 'no route …')` has code 5.
   */
  static http(status: number, message: string, options: StatusErrorOptions = {}): StatusError {
    return new StatusError(codeOfHttpStatus(status), message, { httpStatus: status, ...options });
  }

  /** A 400 that names one field, both in its message and as a field violation. */
  static badField(field: string, description: string): StatusError {
    return new StatusError(Code.INVALID_ARGUMENT, `${field}: ${description}`, {
      violations: [{ field, description }],
    });
  }

  /** Converts whatever was thrown; a stranger becomes "internal error" with the original as `cause`. */
  static from(thrown: unknown): StatusError {
    if (thrown instanceof StatusError) return thrown;
    return new StatusError(Code.INTERNAL, 'internal error', { cause: thrown });
  }
}

/** A place in a source file; line and column count from 1. */
export interface SourcePlace {
  readonly file: string;
  readonly line?: number;
  readonly column?: number;
}

/** One thing wrong with the configuration or the schema, as data; `cli` renders it. */
export interface Problem {
  /** Stable, listed in docs/errors.md: `template-syntax`. */
  readonly code: string;
  /** What was found and what was expected, one sentence, no trailing full stop. */
  readonly message: string;
  readonly place?: SourcePlace;
  /** Full name of the RPC it belongs to: `pkg.Service.Method`. */
  readonly rpc?: string;
  /** The path template it stands in, and the offset in it that is at fault. */
  readonly template?: string;
  readonly templateOffset?: number;
  /** What to write instead. */
  readonly hint?: string;
}

/** Start-up or reload failed. All problems that could be found are in it, not the first alone. */
export class ConfigError extends Error {
  readonly problems: readonly Problem[];
  /** What was odd besides. */
  readonly warnings: readonly Problem[];

  constructor(
    problems: Problem | readonly Problem[],
    options: { readonly cause?: unknown; readonly warnings?: readonly Problem[] } = {},
  ) {
    const list = Array.isArray(problems) ? (problems as readonly Problem[]) : [problems as Problem];
    super(
      list.map((problem) => problem.message).join('\n'),
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.name = 'ConfigError';
    this.problems = list;
    this.warnings = options.warnings ?? [];
  }
}

/** Collects problems while a load goes on, so that all are reported together. */
export class ProblemList {
  readonly errors: Problem[] = [];
  readonly warnings: Problem[] = [];

  error(problem: Problem): void {
    this.errors.push(problem);
  }

  warn(problem: Problem): void {
    this.warnings.push(problem);
  }

  /** Runs `step`; the problems of a ConfigError are kept and undefined is returned. Anything else is thrown on. */
  attempt<T>(step: () => T): T | undefined {
    try {
      return step();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.errors.push(...error.problems);
      return undefined;
    }
  }

  throwIfAny(): void {
    if (this.errors.length > 0) throw new ConfigError(this.errors, { warnings: this.warnings });
  }
}

/** The name nearest to `name` among `known` ("did you mean"), or undefined where none is near. */
export function nearestName(name: string, known: Iterable<string>): string | undefined {
  // What is near has at least something in common: one letter is not near another.
  const limit = name.length < 2 ? 0 : Math.max(1, Math.floor(name.length / 3));
  // A hostile name must not cost more than a look: no name that long is near anything.
  if (name.length > 100) return undefined;
  let best: string | undefined;
  let bestDistance = limit + 1;
  const wanted = name.toLowerCase();
  for (const candidate of known) {
    if (Math.abs(candidate.length - name.length) >= bestDistance) continue;
    const distance = editDistance(wanted, candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Levenshtein distance, a transposition counting as one. */
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      let cost = Math.min(previous[j]! + 1, current[j - 1]! + 1, substitution);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, beforePrevious[j - 2]! + 1);
      }
      current.push(cost);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[b.length]!;
}
