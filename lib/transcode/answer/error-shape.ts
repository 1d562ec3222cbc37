/** What every shape of error bodies has. */
import type { RequestHead } from '../../exchange.js';
import type { StatusError } from '../../status.js';

/** The parts that every shape arranges in its own way. */
export interface ErrorParts {
  readonly error: StatusError;
  /** HTTP status. */
  readonly status: number;
  /** `,"details":[…]`; usually '' if there are none. */
  readonly details: string;
  /** Each of them. */
  readonly printed: readonly string[];
  /** `headers` and `path` are there if the request could be parsed. */
  readonly head: Pick<RequestHead, 'requestId' | 'method'> & Partial<RequestHead>;
}

export interface ErrorShape {
  readonly contentType: string;
  readonly write: (parts: ErrorParts) => string;
}
