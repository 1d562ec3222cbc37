/** The options of a listener, and the interface of what answers its requests. */
import type { ErrorWriter, Exchange } from '../exchange.js';
import {
  defaultsOf,
  enumValue,
  integerValue,
  option,
  optionalTimeValue,
  type OptionsOf,
  pemValue,
  sizeValue,
  timeValue,
} from '../options/index.js';

const MiB = 1024 ** 2;

/** The options of a listener. */
export const listenerOptions = {
  tls_cert: option(pemValue, {
    default: undefined,
    listenerOnly: true,
    group: 'tls',
    text: 'certificate of the listener (PEM); the listener then accepts only TLS',
  }),
  tls_key: option(pemValue, {
    default: undefined,
    listenerOnly: true,
    group: 'tls',
    text: 'private key of that certificate (PEM, no passphrase)',
  }),
  tls_client_ca: option(pemValue, {
    default: undefined,
    listenerOnly: true,
    group: 'tls',
    text: 'certificate authorities (PEM) that are trusted for client certificates',
  }),
  tls_client_cert: option(enumValue('none', 'request', 'require'), {
    default: 'none',
    defaultText: 'none, or require with tls_client_ca',
    follows: { option: 'tls_client_ca', value: (ca) => (ca === undefined ? undefined : 'require') },
    listenerOnly: true,
    group: 'tls',
    text: 'request a certificate from clients; require refuses clients without one',
  }),
  // More is 414.
  max_url_bytes: option(sizeValue(64, MiB), {
    default: 16 * 1024,
    listenerOnly: true,
    group: 'limits',
    text: 'longest request target',
  }),
  // Names, values and 4 for each line; the target does not count. More is 431.
  max_header_bytes: option(sizeValue(256, MiB), {
    default: 16 * 1024,
    listenerOnly: true,
    group: 'limits',
    text: 'all headers of a request together',
  }),
  // From the first byte of the head; 408 after that.
  header_timeout: option(timeValue, {
    default: 10_000,
    listenerOnly: true,
    group: 'limits',
    text: 'time for a request head',
  }),
  // 408 after that.
  idle_timeout: option(timeValue, {
    default: 60_000,
    listenerOnly: true,
    group: 'limits',
    text: 'time without a byte of an upload',
  }),
  // Of an answer that is being written; broken off after that.
  write_timeout: option(timeValue, {
    default: 60_000,
    listenerOnly: true,
    group: 'limits',
    text: 'time in which a client must read some bytes of an answer; otherwise the answer is broken off',
  }),
  // Pipelined requests of HTTP/1.1, streams of HTTP/2.
  max_connection_requests: option(integerValue(1, 10_000_000), {
    default: 250,
    listenerOnly: true,
    group: 'limits',
    text: 'requests in flight at once on one connection; further ones wait',
  }),
  // Longer than the 60 s of usual load balancers.
  keep_alive_timeout: option(timeValue, {
    default: 75_000,
    listenerOnly: true,
    group: 'limits',
    text: 'time that an idle connection is kept',
  }),
  max_connection_age: option(optionalTimeValue, {
    default: undefined,
    listenerOnly: true,
    group: 'limits',
    text: 'age after which a connection accepts no more requests, so that its client opens another; up to 10 % more or less',
  }),
  // Without it a stream may go on for ever.
  max_connection_age_grace: option(optionalTimeValue, {
    default: undefined,
    listenerOnly: true,
    group: 'limits',
    text: 'time in which requests on a connection of that age must end; otherwise they are broken off',
  }),
};

/** A certificate for clients that ask for one of its names. */
export interface NamedCertificate {
  /** Names and `*.` wildcards in lower case. Default: those that the certificate is for. */
  readonly names?: readonly string[] | undefined;
  /** Paths or `data:` URLs, as `tls_cert` and `tls_key`. */
  readonly cert: string;
  readonly key: string;
}

/** Limits of one listener, and its address. */
export interface ListenerOptions extends OptionsOf<typeof listenerOptions> {
  /** Default `127.0.0.1`. */
  readonly host: string;
  /** 0 lets the system choose. Default 8080. */
  readonly port: number;
  /** A socket that is open already, instead of host and port. Default: none. */
  readonly fd?: number | undefined;
  /** Beside that of `tlsCert`, which other clients get; without that they are refused. Default: none. */
  readonly certificates?: readonly NamedCertificate[] | undefined;
}

/** `request`: clients may send a certificate; `require`: requests without a trusted one are refused. */
export type ClientCertificates = ListenerOptions['tlsClientCert'];

/** The default of each of them; a listener on 127.0.0.1:8080. */
export const defaultListenerOptions: ListenerOptions = Object.freeze({
  host: '127.0.0.1',
  port: 8080,
  ...defaultsOf(listenerOptions),
});

/** What answers the requests of a listener. */
export interface ExchangeHandler {
  /** Answers one exchange. Should not throw; if it does, the client gets 500 or a broken-off response. */
  handle(exchange: Exchange): void;
  /** Writes an error that `server` itself answers: an unreadable request, a limit, a time-out. */
  readonly writeError: ErrorWriter;
  /** How many requests are served at once; no connection gets all of them. Undefined: any number. */
  readonly maxConcurrentRequests?: number | undefined;
}

/** The limits of a request's body, whatever its route. */
export type BodyLimits = Pick<ListenerOptions, 'idleTimeoutMs' | 'maxHeaderBytes'>;

/** Node's parsers do not tell whether URL or headers were too long. Up to this much more, our own limits do. */
export const HEADER_SLACK_BYTES = 64 * 1024;

/** How much of a body that nobody wants is still read, so that its client gets to read the response. */
export const DRAIN_BYTES = 1024 * 1024;
/** How long such a body is read, and how long a connection waits for its client after the last response. */
export const DRAIN_MS = 1000;
