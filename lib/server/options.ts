/** What a listener is told: its limits, and who answers. Types and defaults alone. */
import type { ErrorWriter, Exchange } from '../exchange.js';

/** Limits of one listener; times in milliseconds. */
export interface ListenerOptions {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** A longer request target is 414. Default 16 KiB. */
  readonly maxUrlBytes: number;
  /** More header bytes (names, values and 4 for each line; the target does not count) are 431. Default 16 KiB. */
  readonly maxHeaderBytes: number;
  /** Time for a request's head to arrive, from its first byte; 408 after that. Default 10 s. */
  readonly headerTimeoutMs: number;
  /** Time without a byte of a body that is being read; 408 after that. Default 60 s. */
  readonly idleTimeoutMs: number;
  /** How long a connection without a request is kept. Longer than the 60 s of usual load balancers. Default 75 s. */
  readonly keepAliveTimeoutMs: number;
  /** PEM file of the certificate and those between it and its authority. With it, the port takes TLS alone. */
  readonly tlsCert: string | undefined;
  /** PEM file of its private key. */
  readonly tlsKey: string | undefined;
  /** PEM file of the authorities that client certificates must come from. */
  readonly tlsClientCa: string | undefined;
  /** Whether clients are asked for a certificate, and served without a trusted one. Default none. */
  readonly tlsClientCert: ClientCertificates;
}

/** `request`: asked for, not insisted on; `require`: without a trusted one every request is refused. */
export type ClientCertificates = 'none' | 'request' | 'require';

export const defaultListenerOptions: ListenerOptions = Object.freeze({
  host: '127.0.0.1',
  port: 8080,
  maxUrlBytes: 16 * 1024,
  maxHeaderBytes: 16 * 1024,
  headerTimeoutMs: 10_000,
  idleTimeoutMs: 60_000,
  keepAliveTimeoutMs: 75_000,
  tlsCert: undefined,
  tlsKey: undefined,
  tlsClientCa: undefined,
  tlsClientCert: 'none',
});

/** Who answers requests. */
export interface ExchangeHandler {
  /** Takes over one exchange. Must not throw. */
  handle(exchange: Exchange): void;
  /** The body of an error that `server` itself answers: an unreadable request, a limit, a time-out. */
  readonly writeError: ErrorWriter;
}

/**
 * Beyond the limits of URL and headers Node's parsers refuse without telling which of both was too long;
 * up to so many bytes more the answer is exact.
 */
export const HEADER_SLACK_BYTES = 64 * 1024;

/** How much of a body that nobody wants is still read, so that the client sees our answer before it finds no reader. */
export const DRAIN_BYTES = 1024 * 1024;
export const DRAIN_MS = 1000;
