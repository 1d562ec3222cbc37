/**
 * gRPC status codes, the mapping of codes to HTTP statuses, and the two error classes of the project. A `StatusError`
 * fails one request. A `ConfigError` fails a start or reload and carries every problem found. This module renders
 * neither: `transcode` writes error bodies, `cli` prints start-up errors.
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

/** `5` → `NOT_FOUND`. A number that gRPC does not define is `UNKNOWN`, as in gRPC itself. */
export function codeName(code: number): string {
  return names[code] ?? 'UNKNOWN';
}

/** Like `codeName`, but a number that gRPC does not define stays a number (`5002`): a service that sends one means it. */
export function codeText(code: number): string {
  return names[code] ?? String(code);
}

/** `NOT_FOUND` → `5`; undefined for any other text. */
export function codeByName(name: string): number | undefined {
  const code = names.indexOf(name);
  return code < 0 ? undefined : code;
}

const httpByCode: readonly number[] = [
  200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401,
];

/** HTTP status of a gRPC code, as in google.rpc.Code; 500 for a code that gRPC does not define. */
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

/** True for an HTTP status that has no body. */
export function isBodyless(status: number): boolean {
  return status === 204 || status === 205 || status === 304;
}

/** One bad field of a request, as in google.rpc.BadRequest. */
export interface FieldViolation {
  /** Path of the field in the client's spelling: `vm.spec.cpus`. */
  readonly field: string;
  /** What was found, what was expected, and what to write. */
  readonly description: string;
  /** The rule that is broken, for programs: `string.min_len`. */
  readonly reason?: string;
}

/** A google.rpc.Status detail: a google.protobuf.Any that is not decoded. */
export interface StatusDetail {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

/** What refuses requests before they get to a service, by the name of its option. The list is that of the metric's labels. */
export const refusers = [
  'max_concurrent_requests',
  'max_event_loop_delay',
  'addresses',
  'allowed_hosts',
  'check_origin',
  'refuse_underscores',
  'rate_limits',
  'jwt',
  'api_keys',
  'ext_authz',
  'access',
] as const;

export type Refuser = (typeof refusers)[number];

/** Optional parts of a `StatusError`. */
export interface StatusErrorOptions {
  /** HTTP status, if it is not that of the gRPC code (405, 413 …). */
  readonly httpStatus?: number;
  /** Bad fields; rendered as google.rpc.BadRequest. */
  readonly violations?: readonly FieldViolation[];
  /** Details as the service sent them. */
  readonly details?: readonly StatusDetail[];
  /** Extra response headers, such as `allow`. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
  /** True for the status of a call, whoever ended it: a service, or the transport. */
  readonly isOfCall?: boolean;
  /** Who refused the request, for metrics. Default: nobody, it failed otherwise. */
  readonly refusedBy?: Refuser;
  /** The error that led to this one; logged, never shown to a client. */
  readonly cause?: unknown;
}

/** Fails one request: a gRPC code, and a message that the client may read. */
export class StatusError extends Error {
  readonly code: number;
  /** HTTP status of the proxy's own errors; undefined if it follows from the gRPC code. */
  readonly httpStatus: number | undefined;
  readonly violations: readonly FieldViolation[];
  readonly details: readonly StatusDetail[];
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** True for the status of a call, whoever ended it: a service, or the transport. */
  readonly isOfCall: boolean;
  /** Who refused the request, for metrics; undefined: it failed otherwise. */
  refusedBy: Refuser | undefined;

  constructor(code: number, message: string, options: StatusErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'StatusError';
    this.code = code;
    this.httpStatus = options.httpStatus;
    this.violations = options.violations ?? [];
    this.details = options.details ?? [];
    this.headers = options.headers ?? [];
    this.isOfCall = options.isOfCall ?? false;
    this.refusedBy = options.refusedBy;
  }

  /**
   * An error of the proxy itself by its HTTP status, from which the gRPC code follows: `StatusError.http(404, 'no route
   * …')` has code 5.
   */
  static http(status: number, message: string, options: StatusErrorOptions = {}): StatusError {
    return new StatusError(codeOfHttpStatus(status), message, { httpStatus: status, ...options });
  }

  /** 413: a body, or one message of a stream, is larger than an option allows. */
  static tooLarge(maxBytes: number, what = 'the body', option = 'max_body_bytes'): StatusError {
    const flag = `--${option.replaceAll('_', '-')}`;
    return StatusError.http(
      413,
      `${what} is larger than the limit of ${maxBytes} bytes; send less, or raise ${flag} (${option})`,
    );
  }

  /** A 400 that names one field, both in its message and as a field violation. */
  static badField(field: string, description: string): StatusError {
    return new StatusError(Code.INVALID_ARGUMENT, `${field}: ${description}`, {
      violations: [{ field, description }],
    });
  }

  /** Converts any thrown value. An unexpected one becomes "internal error" with the original as `cause`. */
  static from(thrown: unknown): StatusError {
    if (thrown instanceof StatusError) return thrown;
    return new StatusError(Code.INTERNAL, 'internal error', { cause: thrown });
  }
}

/** The same error, with the name of who refused the request if it has none yet. */
export function refusedBy(error: unknown, refuser: Refuser): unknown {
  if (error instanceof StatusError) error.refusedBy ??= refuser;
  return error;
}

/** The error of one message of a stream, with its number. */
export function numberedError(error: unknown, count: number): unknown {
  if (!(error instanceof StatusError)) return error;
  const { code, httpStatus, violations, details, headers, cause } = error;
  return new StatusError(code, `message ${count}: ${error.message}`, {
    ...(httpStatus === undefined ? {} : { httpStatus }),
    violations,
    details,
    headers,
    cause,
  });
}

/** A request that names a field which is not there. With `pass_unknown_query` it is no error: it goes on as it is. */
export class UnresolvedRequest extends StatusError {}

/** A place in a source file; line and column count from 1. */
export interface SourcePlace {
  readonly file: string;
  readonly line?: number;
  readonly column?: number;
}

/** One mistake in the configuration or the schema, as data; `cli` renders it. */
export interface Problem {
  /** Stable, and listed in docs/errors.md: `template-syntax`. */
  readonly code: string;
  /** What was found and what was expected, one sentence, no trailing full stop. */
  readonly message: string;
  readonly place?: SourcePlace;
  /** Full name of the RPC that has the problem: `pkg.Service.Method`. */
  readonly rpc?: string;
  /** The path template that has the problem, and the offset of the mistake in it. */
  readonly template?: string;
  readonly templateOffset?: number;
  /** What to write instead. */
  readonly hint?: string;
}

/** A start or reload failed. Holds all problems that could be found, not only the first. */
export class ConfigError extends Error {
  readonly problems: readonly Problem[];
  /** Problems that would not have failed the start by themselves. */
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

/** Collects problems during a load, so that all are reported together. */
export class ProblemList {
  readonly errors: Problem[] = [];
  readonly warnings: Problem[] = [];

  error(problem: Problem): void {
    this.errors.push(problem);
  }

  warn(problem: Problem): void {
    this.warnings.push(problem);
  }

  /** Runs `step`. The problems of a ConfigError are kept, and undefined is returned; any other error is rethrown. */
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

/** The name in `known` nearest to `name`, for "did you mean"; undefined if none is near. */
export function nearestName(name: string, known: Iterable<string>): string | undefined {
  // Near names share at least one letter, so nothing is near a single letter.
  const limit = name.length < 2 ? 0 : Math.max(1, Math.floor(name.length / 3));
  // Bounds the work for a hostile name.
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

/** Levenshtein distance in which a transposition counts as one. */
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

/** What was thrown, in words. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
