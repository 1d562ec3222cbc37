/** Ways to ask a server once whether it is well: by gRPC and HTTP/2 on its own connections, by HTTP/1, by TCP. */
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { connect } from 'node:net';
import type { SecureContextOptions } from 'node:tls';
import type { HttpChannel, HttpListener } from '../../exchange.js';
import { header, type HeaderFields } from '../../headers.js';
import { Code, codeText, StatusError } from '../../status.js';
import {
  encodeFrame,
  FrameReader,
  healthPaths,
  healthRequest,
  type ServingStatus,
  servingStatusIn,
} from '../../wire/index.js';
import type { Address } from '../native/address.js';
import type { HealthCheckOptions } from './options.js';

/** Stops what is under way; nothing is told any more. */
export type Stop = () => void;

/** What is wrong with a server. */
export interface Trouble {
  readonly text: string;
  /** The server says so itself; false: it does not answer. */
  readonly isAnswer: boolean;
}

/** How one server is asked. */
export interface Probe {
  /** Asks once; tells the trouble, or undefined if the server is well. Never tells it before it returns. */
  check(done: (trouble: Trouble | undefined) => void): Stop;
  /**
   * The server tells each change. `onEnd` is the last that is heard: true if the server cannot do it at all. Undefined: there
   * is no such way.
   */
  readonly watch?: (onChange: (problem: string | undefined) => void, onEnd: (isUnknown: boolean) => void) => Stop;
}

/** How a server is reached without its channel. */
export interface ProbeTarget {
  readonly address: Address;
  /** Of HTTP requests. */
  readonly host: string;
  /** Undefined: cleartext. */
  readonly tls: (SecureContextOptions & { readonly servername?: string }) | undefined;
}

/** Far more than a health response has. */
const MAX_RESPONSE_BYTES = 64 * 1024;

/** Asks grpc.health.v1 on the connections of calls. */
export function grpcProbe(channel: HttpChannel, { service, watch }: HealthCheckOptions): Probe {
  const check: Probe['check'] = (done) => {
    let found: ServingStatus | undefined;
    return ask(channel, healthPaths.check, service, {
      onStatus: (status) => (found = status),
      onEnd(code, message, isAnswer) {
        const text = code === Code.OK ? problemOf(found) : problemOfCode(code, message, service);
        done(text === undefined ? undefined : { text, isAnswer });
      },
    });
  };
  if (!watch) return { check };
  return {
    check,
    watch: (onChange, onEnd) =>
      ask(channel, healthPaths.watch, service, {
        onStatus: (status) => onChange(problemOf(status)),
        onEnd: (code) => onEnd(code === Code.UNIMPLEMENTED),
      }),
  };
}

function problemOf(status: ServingStatus | undefined): string | undefined {
  return status === 'SERVING' ? undefined : `it answers ${status ?? 'nothing'}`;
}

function problemOfCode(code: number, message: string, service: string): string | undefined {
  // A server that answers without having a health service does serve, as for /health.
  if (code === Code.UNIMPLEMENTED) return undefined;
  if (code === Code.NOT_FOUND) return `it knows no health of ${service === '' ? 'the server' : service}`;
  return `${codeText(code)}${message === '' ? '' : `: ${message}`}`;
}

interface Answers {
  onStatus(status: ServingStatus): void;
  onEnd(code: number, message: string, isAnswer: boolean): void;
}

/** An RPC of grpc.health.v1, without the bookkeeping of calls. */
function ask(channel: HttpChannel, path: string, service: string, answers: Answers): Stop {
  const frames = new FrameReader(MAX_RESPONSE_BYTES);
  const end = (fields: HeaderFields, otherwise: number): void => {
    const code = header(fields, 'grpc-status');
    answers.onEnd(code === undefined ? otherwise : Number(code), header(fields, 'grpc-message') ?? '', true);
  };
  const listener: HttpListener = {
    onHead(status, headers, last) {
      if (last) return end(headers, status === 404 ? Code.UNIMPLEMENTED : Code.UNKNOWN);
      if (status === 200 && /^application\/grpc/.test(header(headers, 'content-type') ?? '')) return;
      request.cancel();
      answers.onEnd(Code.UNKNOWN, `it answers HTTP ${status}, which is not gRPC`, true);
    },
    onData(chunk) {
      try {
        for (const { payload } of frames.push(chunk)) answers.onStatus(servingStatusIn(payload));
      } catch (error) {
        request.cancel();
        answers.onEnd(Code.INTERNAL, StatusError.from(error).message, true);
      }
      return true;
    },
    onTrailers: (trailers) => end(trailers, Code.UNKNOWN),
    onEnd: () => answers.onEnd(Code.UNKNOWN, 'it answers without a status', true),
    onFail: ({ code, message, diagnosis }) => answers.onEnd(code, diagnosis ?? message, false),
    onDrain: () => undefined,
  };
  const fields = [':method', 'POST', ':path', path, 'te', 'trailers', 'content-type', 'application/grpc'];
  const request = channel.request(fields, listener);
  request.write(encodeFrame(healthRequest(service)));
  request.end();
  return () => request.cancel();
}

/** A GET on the connections of calls. */
export function http2Probe(channel: HttpChannel, { path, host, expectedStatuses }: HealthCheckOptions): Probe {
  return {
    check(done) {
      const authority = host === '' ? [] : [':authority', host];
      const request = channel.request([':method', 'GET', ':path', path, ...authority], {
        onHead(status) {
          // Nobody reads the body.
          request.cancel();
          done(troubleOfStatus(status, expectedStatuses));
        },
        onData: () => true,
        onTrailers: () => undefined,
        onEnd: () => undefined,
        onFail: ({ message, diagnosis }) => done({ text: diagnosis ?? message, isAnswer: false }),
        onDrain: () => undefined,
      });
      request.end();
      return () => request.cancel();
    },
  };
}

/** A GET on a connection of its own. */
export function http1Probe({ address, host: usual, tls }: ProbeTarget, options: HealthCheckOptions): Probe {
  const { path, host, expectedStatuses } = options;
  const where = 'path' in address ? { socketPath: address.path } : address;
  const headers = { host: host === '' ? usual : host, 'user-agent': 'photongate', connection: 'close' };
  return {
    check(done) {
      let isOver = false;
      const over = (trouble: Trouble | undefined): void => {
        if (!isOver) done(trouble);
        isOver = true;
      };
      const settings = { ...where, path, headers, agent: false as const };
      const request = tls === undefined ? requestHttp(settings) : requestHttps({ ...settings, ...tls });
      request.on('error', (error) => over({ text: error.message, isAnswer: false }));
      request.on('response', ({ statusCode = 0 }) => {
        request.destroy();
        over(troubleOfStatus(statusCode, expectedStatuses));
      });
      request.end();
      return () => {
        isOver = true;
        request.destroy();
      };
    },
  };
}

function troubleOfStatus(status: number, expected: readonly number[]): Trouble | undefined {
  if (expected.includes(status)) return undefined;
  return { text: `it answers HTTP ${status}`, isAnswer: true };
}

/** A connection that is closed at once. TLS is not spoken. */
export function tcpProbe({ address }: Pick<ProbeTarget, 'address'>): Probe {
  return {
    check(done) {
      const socket = connect(address);
      socket.on('error', (error) => done({ text: error.message, isAnswer: false }));
      socket.on('connect', () => {
        socket.removeAllListeners('error').on('error', () => undefined);
        socket.destroy();
        done(undefined);
      });
      return () => {
        socket.removeAllListeners().on('error', () => undefined);
        socket.destroy();
      };
    },
  };
}
