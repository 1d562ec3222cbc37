/**
 * A reverse proxy to an HTTP/1.1 server, for requests that no route takes. Bytes stream both ways, each side held back by
 * the other; nothing is held whole. Does not speak HTTP/2 to the upstream and forwards no upgrade.
 */
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { errors, Pool, type Dispatcher } from 'undici';
import type { Exchange } from '../exchange.js';
import { headerTokens, type HeaderFields } from '../headers.js';
import { StatusError } from '../status.js';
import { quote, toOriginForm } from '../uri.js';
import { hopsOf, requestFields, responseFields, tokensOf, trailerFields } from './headers.js';

export interface FallbackOptions {
  /** `http://host:port`, or with a path that goes before that of each request. */
  readonly fallback: string;
  /**
   * How long the upstream may keep us waiting: for its answer to begin, or for room for the next bytes of an upload; 504
   * after that. In milliseconds.
   */
  readonly fallbackTimeoutMs: number;
  /** How long a connection to it may take; 504 after that. In milliseconds. */
  readonly connectTimeoutMs: number;
}

/** What becomes of a request: one of the two, once. */
export interface FallbackOutcome {
  /** The answer has ended, was broken off, or nobody waits for it any more. */
  onDone(): void;
  /** Nothing was answered. */
  onError(error: StatusError): void;
}

/** What the server gets of a request's head. */
export interface ForwardedHead {
  readonly requestId: string;
  readonly target: string;
  /** Those of the client. */
  readonly headers: HeaderFields;
  /** What the proxy says of the client, besides. */
  readonly identity: HeaderFields;
}

/** Where unmatched requests go. */
export interface Fallback {
  /** Takes an exchange over. */
  forward(exchange: Exchange, head: ForwardedHead, outcome: FallbackOutcome): void;
}

/** Requests that have passed so many of our kind go round in a circle that none of them can see whole. */
const MAX_HOPS = 10;

/** The fallbacks of a proxy, one for each URL and its time-outs, and their connections. */
export class Fallbacks {
  private readonly pools = new Map<string, { readonly pool: Pool; readonly fallback: Fallback }>();

  to({ fallback: url, fallbackTimeoutMs, connectTimeoutMs }: FallbackOptions): Fallback {
    const key = `${fallbackTimeoutMs} ${connectTimeoutMs} ${url}`;
    const known = this.pools.get(key);
    if (known !== undefined) return known.fallback;
    const { origin, pathname } = new URL(url);
    const pool = new Pool(origin, {
      pipelining: 1,
      // A slow client is no reason to give up, so the time is taken here.
      headersTimeout: 0,
      // A stream may be silent for ever.
      bodyTimeout: 0,
      connect: { timeout: connectTimeoutMs },
    });
    const target: Target = {
      url,
      pool,
      base: pathname.replace(/\/$/, ''),
      timeoutMs: fallbackTimeoutMs,
      hopName: `photongate-${randomBytes(6).toString('hex')}`,
    };
    const fallback: Fallback = {
      forward: (exchange, head, outcome) => new Forwarding(target, exchange, head, outcome).start(),
    };
    this.pools.set(key, { pool, fallback });
    return fallback;
  }

  /** Cuts what is left. */
  close(): void {
    for (const { pool } of this.pools.values()) void pool.destroy().catch(() => undefined);
    this.pools.clear();
  }
}

type Controller = Dispatcher.DispatchController;

/** Where a fallback leads. */
interface Target {
  readonly url: string;
  readonly pool: Pool;
  /** Goes before the path of each request. */
  readonly base: string;
  readonly timeoutMs: number;
  /** By which we know our own requests again. */
  readonly hopName: string;
}

/** One request on its way. */
class Forwarding implements Dispatcher.DispatchHandler {
  private controller: Controller | undefined;
  private responded = false;
  private finished = false;
  private gone = false;
  private body: Readable | undefined;
  private isRetry = false;
  /** Runs while the upstream keeps us waiting. */
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly target: Target,
    private readonly exchange: Exchange,
    private readonly head: ForwardedHead,
    private readonly outcome: FallbackOutcome,
  ) {}

  start(): void {
    const { exchange, target } = this;
    const hops = hopsOf(exchange.headers);
    if (hops.includes(target.hopName) || hops.length >= MAX_HOPS) return this.outcome.onError(loopOf(target.url));
    exchange.onClose(() => this.clientGone());
    exchange.onDrain(() => this.controller?.resume());
    if (exchange.hasBody) this.body = bodyOf(exchange, (isSlow) => (isSlow ? this.startTimer() : this.stopTimer()));
    this.startTimer();
    this.dispatch();
  }

  private dispatch(): void {
    const { exchange, head, target, body } = this;
    try {
      target.pool.dispatch(
        {
          method: exchange.method,
          path: `${target.base}${toOriginForm(head.target)}`,
          headers: requestFields(exchange, head, target.hopName),
          body: body ?? null,
        },
        this,
      );
    } catch (error) {
      this.onResponseError(undefined, error as Error);
    }
  }

  onRequestStart(controller: Controller): void {
    this.controller = controller;
    if (this.gone || this.finished) controller.abort(clientLeft());
  }

  onResponseStart(
    _controller: Controller,
    status: number,
    headers: Record<string, string | string[] | undefined>,
    reason?: string,
  ): void {
    // Interim answers are for us: we have told the client to go on already.
    if (status < 200) return;
    const coding = tokensOf(headers, 'transfer-encoding').find((token) => token !== 'chunked');
    if (coding !== undefined) return this.fail(codedTransfer(coding));
    this.responded = true;
    this.stopTimer();
    const fields = responseFields(headers);
    if (headers['x-request-id'] === undefined) fields.push('x-request-id', this.head.requestId);
    this.exchange.respond({ status, headers: fields, reason: reason === '' ? undefined : reason });
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    // undici may use the memory again.
    if (!this.exchange.write(Buffer.from(chunk))) controller.pause();
  }

  onResponseEnd(_controller: Controller, trailers: Record<string, string | string[] | undefined>): void {
    if (this.finished) return;
    this.finished = true;
    const takesTrailers = headerTokens(this.exchange.headers, 'te').some((token) => token.startsWith('trailers'));
    const fields = takesTrailers ? trailerFields(trailers) : [];
    this.exchange.end(undefined, fields.length === 0 ? undefined : fields);
    this.outcome.onDone();
  }

  onResponseError(_controller: Controller | undefined, error: Error): void {
    if (this.finished) return;
    if (this.gone || this.responded) {
      this.finished = true;
      if (!this.gone) this.exchange.abort();
      this.outcome.onDone();
      return;
    }
    this.controller = undefined;
    // A kept connection may be closed by its server just as a request goes out on it.
    if (this.mayRetry(error)) {
      this.isRetry = true;
      this.dispatch();
      return;
    }
    this.fail(asStatusError(error, this.body));
  }

  /** Nothing was answered, and nothing of the upstream's will be. */
  private fail(error: StatusError): void {
    this.finished = true;
    this.stopTimer();
    this.controller?.abort(error);
    this.body?.destroy(error);
    this.outcome.onError(error);
  }

  private startTimer(): void {
    this.stopTimer();
    if (this.responded || this.finished) return;
    this.timer = setTimeout(() => this.fail(tooLate()), this.target.timeoutMs);
  }

  private stopTimer(): void {
    clearTimeout(this.timer);
  }

  private mayRetry(error: Error): boolean {
    const { method, hasBody } = this.exchange;
    const isCut = error instanceof errors.SocketError || (error as NodeJS.ErrnoException).code === 'ECONNRESET';
    return isCut && !hasBody && (method === 'GET' || method === 'HEAD') && !this.isRetry;
  }

  private clientGone(): void {
    this.gone = true;
    this.stopTimer();
    if (this.finished) return;
    this.controller?.abort(clientLeft());
    this.body?.destroy(clientLeft());
    // Without a controller the request has not begun, and undici will find out when it does.
    if (this.controller === undefined) {
      this.finished = true;
      this.outcome.onDone();
    }
  }
}

/**
 * The body as undici takes it: read as fast as the upstream does.
 * @param onWait told whether the upstream is waited for from now on, or the client.
 */
function bodyOf(exchange: Exchange, onWait: (isForUpstream: boolean) => void): Readable {
  let started = false;
  const body = new Readable({
    read() {
      onWait(false);
      if (started) return exchange.resume();
      started = true;
      exchange.continue();
      exchange.read({
        onData(chunk) {
          if (body.push(chunk)) return;
          onWait(true);
          exchange.pause();
        },
        onEnd() {
          body.push(null);
          onWait(true);
        },
        onAbort: (error) => void body.destroy(error ?? clientLeft()),
      });
    },
  });
  // Whoever reads it hears of the error; nobody does where the upstream has answered already.
  body.on('error', () => undefined);
  return body;
}

function loopOf(url: string): StatusError {
  return StatusError.http(
    508,
    `the fallback ${url} leads back here: the request came round in a circle; change --fallback (fallback) to the server that has the other routes`,
  );
}

/** What is below the chunks would be taken for the body itself. */
function codedTransfer(coding: string): StatusError {
  return StatusError.http(
    502,
    `the fallback server sent a body in Transfer-Encoding ${quote(coding)}, which was not asked for; expected chunked`,
  );
}

function tooLate(cause?: Error): StatusError {
  return StatusError.http(504, 'the fallback server did not answer in time (option fallback_timeout)', { cause });
}

function clientLeft(): Error {
  return new Error('the client went away');
}

/** 504 (code 4) where the upstream was too slow, else 502 (code 14). An error of the client's own body is its own. */
function asStatusError(error: Error, body: Readable | undefined): StatusError {
  const ofBody = body?.errored ?? undefined;
  if (ofBody instanceof StatusError) return ofBody;
  if (error instanceof errors.ConnectTimeoutError) {
    return StatusError.http(504, 'no connection to the fallback server came up in time (option connect_timeout)', {
      cause: error,
    });
  }
  if (error instanceof errors.InvalidArgumentError) {
    return StatusError.http(400, `the fallback server cannot be sent this request: ${error.message}`, { cause: error });
  }
  const code = (error as NodeJS.ErrnoException).code;
  return StatusError.http(
    502,
    `the fallback server cannot be reached, or broke off${code === undefined ? '' : ` (${code})`}; start it, or change --fallback (fallback)`,
    { cause: error },
  );
}
