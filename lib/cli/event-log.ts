/**
 * What rooms publish on `node:diagnostics_channel` while the proxy runs → the log: faults of ours, of which clients see
 * "internal error"; failed requests and calls; upstreams that go and come back; reloads; certificates; keys of tokens.
 */
import type { Channel } from 'node:diagnostics_channel';
import {
  apiKeysChannel,
  errorChannel,
  failureChannel,
  ignoredStatusChannel,
  type IgnoredStatus,
  type InternalError,
  jwksChannel,
  type KeyFetch,
  type KeysRead,
  type RequestFailure,
} from '../gateway/index.js';
import { reloadChannel, type ReloadEvent } from '../live/index.js';
import { type Overload, overloadChannel } from '../overload/index.js';
import { filterChannel, type FilterFailure } from '../routes/index.js';
import { refusedChannel, type RefusedRequest } from '../server/index.js';
import { codeText, type Problem } from '../status.js';
import type { Severity } from '../telemetry/index.js';
import { type ThreadFailure, threadsChannel } from '../threads/index.js';
import { tlsChannel, type TlsEvent } from '../tls/index.js';
import {
  upstreamChannel,
  type UpstreamFailure,
  type UpstreamHealth,
  upstreamHealthChannel,
  type UpstreamState,
  upstreamStateChannel,
} from '../upstream/index.js';
import { Repeats } from './repeats.js';

/** What is written of events, whatever their form. */
export interface EventSink {
  write(severity: Severity, message: string, fields?: Readonly<Record<string, unknown>>, text?: string): void;
  /** The same with problems behind it, as a start would show them. */
  problems(severity: Severity, message: string, problems: readonly Problem[]): void;
}

const outcomes: Readonly<Record<ReloadEvent['outcome'], readonly [Severity, string]>> = {
  waiting: ['warn', 'waiting for a schema, requests are answered 503'],
  unreachable: ['warn', 'an upstream does not tell its schema any more, its last one serves on'],
  kept: ['error', 'not reloaded, the old routes serve on'],
  loaded: ['info', 'reloaded'],
};

/** Writes what came of a reload. */
export function logReload({ outcome, problems }: ReloadEvent, log: EventSink): void {
  log.problems(...outcomes[outcome], problems);
}

/** Logs what is published from now on. Returns how to stop, which also writes what was left out as repeated. */
export function logEvents(log: EventSink): () => void {
  const repeats = new Repeats();
  const stops = [
    subscribe(errorChannel, (event: InternalError) => logFault(event, log)),
    subscribe(failureChannel, (event: RequestFailure) => logFailure(event, repeats, log)),
    subscribe(upstreamChannel, (event: UpstreamFailure) => logCall(event, repeats, log)),
    subscribe(upstreamStateChannel, ({ target, problem }: UpstreamState) => {
      if (problem === undefined) log.write('info', `upstream ${target} is connected again`, { upstream: target });
      else log.write('warn', `upstream ${target} is down: ${problem}`, { upstream: target, error: problem });
    }),
    subscribe(upstreamHealthChannel, ({ cluster, target, problem }: UpstreamHealth) => {
      const fields = { upstream: target, cluster };
      const name = `upstream ${target}${cluster === target ? '' : ` of ${cluster}`}`;
      if (problem === undefined) log.write('info', `${name} gets calls again`, fields);
      else log.write('warn', `${name} gets no calls: ${problem}`, { ...fields, error: problem });
    }),
    subscribe(ignoredStatusChannel, (event: IgnoredStatus) => logIgnoredStatus(event, log)),
    subscribe(jwksChannel, ({ url, problem }: KeyFetch) => {
      const message = `the signing keys at ${url} ${problem ?? 'are there again'}`;
      log.write(problem === undefined ? 'info' : 'warn', message);
    }),
    subscribe(apiKeysChannel, ({ file, outcome, keys, problems }: KeysRead) => {
      if (outcome === 'renewed') log.write('info', `the API keys in ${file} are renewed, ${keys} are valid`);
      else log.problems('error', `the API keys in ${file} are not taken, those of before stay valid`, problems);
    }),
    subscribe(filterChannel, ({ message }: FilterFailure) => {
      repeats.add(message, (leftOut) =>
        log.write('warn', message + others(leftOut, 'requests'), { left_out: leftOut }),
      );
    }),
    subscribe(overloadChannel, (event: Overload) => logOverload(event, log)),
    subscribe(threadsChannel, ({ reason }: ThreadFailure) =>
      log.write('warn', `large messages are read and written by the event loop until a reload: ${reason}`, {
        error: reason,
      }),
    ),
    subscribe(reloadChannel, (event: ReloadEvent) => logReload(event, log)),
    subscribe(tlsChannel, ({ subject, outcome, problems }: TlsEvent) => {
      if (outcome === 'renewed') log.problems('info', `the certificate of ${subject} is renewed`, problems);
      else log.problems('error', `the new certificate of ${subject} is not taken, the old one stays in use`, problems);
    }),
  ];
  return () => {
    for (const stop of stops) stop();
    repeats.flush();
  };
}

/** Calls `listener` when a schema that an upstream reports is taken, or is not. Returns how to stop. */
export function onReload(listener: (event: ReloadEvent) => void): () => void {
  return subscribe(reloadChannel, listener);
}

/** Calls `listener` for each request that the server refuses by itself. Returns how to stop. */
export function onRefused(listener: (request: RefusedRequest) => void): () => void {
  return subscribe(refusedChannel, listener);
}

function subscribe<T>(channel: Channel, listener: (event: T) => void): () => void {
  const onMessage = (message: unknown): void => listener(message as T);
  channel.subscribe(onMessage);
  return () => channel.unsubscribe(onMessage);
}

/** A fault of ours: why, which no client reads. */
function logFault({ cause, requestId, method, path, client }: InternalError, log: EventSink): void {
  const error = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
  const text = `internal error, request ${requestId} ${method} ${path} of ${client}: ${error}`;
  log.write('error', 'internal error', { request_id: requestId, method, path, client, error }, text);
}

function logFailure(event: RequestFailure, repeats: Repeats, log: EventSink): void {
  if (event.isReported) return;
  const { requestId, method, path, client, rpc, status, code, message: reason } = event;
  repeats.add(`${rpc ?? path} ${status} ${code} ${reason}`, (leftOut) => {
    const message = `${method} ${path} failed with ${status} ${codeText(code)}${reason === '' ? '' : `: ${reason}`}`;
    const fields = {
      ...{ request_id: requestId, client, method, path, rpc, status },
      code: codeText(code),
      error: reason,
    };
    const text = `request ${requestId} of ${client}: ${message}`;
    log.write(
      'error',
      message + others(leftOut, 'requests'),
      { ...fields, left_out: leftOut },
      text + others(leftOut, 'requests'),
    );
  });
}

/** A call that did not get to its service: with the address, which clients do not read. */
function logCall({ target, path, code, message: reason }: UpstreamFailure, repeats: Repeats, log: EventSink): void {
  repeats.add(reason, (leftOut) => {
    const message = `call of ${path}: ${reason}${others(leftOut, 'calls')}`;
    log.write('warn', message, { upstream: target, code: codeText(code), left_out: leftOut });
  });
}

/** While it lasts, the requests that it refuses have no lines of their own. */
function logOverload({ state, delayMs, maxDelayMs, refused }: Overload, log: EventSink): void {
  const late = Math.round(delayMs);
  const fields = { delay_ms: late, max_event_loop_delay_ms: maxDelayMs };
  if (state === 'begins') {
    const message = `overloaded: the event loop is ${late} ms late, limit ${maxDelayMs} ms; a share of the requests is refused`;
    log.write('warn', message, fields);
  } else {
    log.write('info', `no longer overloaded, ${refused} requests were refused`, { ...fields, refused });
  }
}

function others(leftOut: number, what: string): string {
  return leftOut === 0 ? '' : ` (and ${leftOut} ${what} before)`;
}

function logIgnoredStatus({ rpc, requestId, found, reason }: IgnoredStatus, log: EventSink): void {
  const message = `x-http-code ${JSON.stringify(found)} of ${rpc} is ignored: ${reason}`;
  log.write('warn', message, { request_id: requestId }, `request ${requestId}: ${message}`);
}
