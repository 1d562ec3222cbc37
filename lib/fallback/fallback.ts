/**
 * A reverse proxy to an HTTP/1.1 server, for requests that no route takes. Bytes stream both ways, each side held back by
 * the other; nothing is held whole. Forwards no upgrade. `http2.ts` is its sister.
 */
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import type { Dispatcher, Pool } from 'undici';
import type { Exchange } from '../exchange.js';
import { headerTokens } from '../headers.js';
import { undici } from '../packages.js';
import { type Holder, Shared } from '../shared.js';
import { MAX_TIMER_MS } from '../options/index.js';
import { StatusError } from '../status.js';
import { quote, splitTarget, toOriginForm } from '../uri.js';
import { isBodiless, requestFields, responseHead, tokensOf, trailerFields } from './headers.js';
import { isLoop, loopOf } from './loop.js';
import { staysBelow } from './path.js';
import type { Fallback, FallbackOptions, FallbackOutcome, ForwardedHead } from './types.js';

/** The fallbacks of a proxy, one for each URL and its time-outs, and their connections. */
export class Fallbacks {
  private readonly pools = new Shared<OpenFallback>((open) => open.close());

  get size(): number {
    return this.pools.size;
  }

  /** @param holder for whom its connections stay. */
  to(options: FallbackOptions, holder: Holder): Fallback {
    const { fallback, fallbackTimeoutMs, connectTimeoutMs, tls } = options;
    const key = JSON.stringify([fallbackTimeoutMs, connectTimeoutMs, fallback, tls]);
    return this.pools.hold(key, holder, () => this.open(options)).fallback;
  }

  private open({ fallback: url, fallbackTimeoutMs, connectTimeoutMs, tls }: FallbackOptions): OpenFallback {
    const { origin, pathname } = new URL(url);
    const pool = new (undici().Pool)(origin, {
      pipelining: 1,
      // A slow client is no reason to give up, so the time is taken here.
      headersTimeout: 0,
      // A stream may be silent for ever.
      bodyTimeout: 0,
      connect: { ...tls, timeout: connectTimeoutMs },
    });
    const target: Target = {
      pool,
      base: pathname.replace(/\/$/, ''),
      timeoutMs: fallbackTimeoutMs,
      hopName: `photongate-${randomBytes(6).toString('hex')}`,
    };
    const fallback: Fallback = {
      forward: (exchange, head, outcome) => new Forwarding(target, exchange, head, outcome).start(),
    };
    return { fallback, close: () => void pool.destroy().catch(() => undefined) };
  }

  /** Cuts what is left. */
  close(): void {
    this.pools.closeAll();
  }
}

interface OpenFallback {
  readonly fallback: Fallback;
  close(): void;
}

type Controller = Dispatcher.DispatchController;

/** Where a fallback leads. */
interface Target {
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
  /** Of the answer. */
  private hasBody = true;
  private finished = false;
  private gone = false;
  private body: Readable | undefined;
  private isRetry = false;
  /** Runs while the upstream keeps us waiting. */
  private timer: NodeJS.Timeout | undefined;
  /** Runs for the whole exchange. */
  private deadline: NodeJS.Timeout | undefined;

  constructor(
    private readonly target: Target,
    private readonly exchange: Exchange,
    private readonly head: ForwardedHead,
    private readonly outcome: FallbackOutcome,
  ) {}

  start(): void {
    const { exchange, target, head } = this;
    if (target.base !== '' && !staysBelow(splitTarget(this.head.target).path)) {
      return this.outcome.onError(leadsOut(this.head.target, target.base));
    }
    if (isLoop(exchange.headers, target.hopName)) return this.outcome.onError(loopOf('the fallback', LOOP_HINT));
    exchange.onClose(() => this.clientGone());
    exchange.onDrain(() => this.controller?.resume());
    if (exchange.hasBody) this.body = bodyOf(exchange, (isSlow) => (isSlow ? this.startTimer() : this.stopTimer()));
    this.startTimer();
    if (head.timeoutMs !== undefined)
      this.deadline = setTimeout(() => this.onDeadline(), Math.min(head.timeoutMs, MAX_TIMER_MS));
    this.dispatch();
  }

  private onDeadline(): void {
    if (this.finished) return;
    if (!this.responded) return this.fail(StatusError.http(504, 'upstream request timeout'));
    this.breakOff();
    this.controller?.abort(new Error('the time of the route is over'));
  }

  private dispatch(): void {
    const { exchange, head, target, body } = this;
    try {
      target.pool.dispatch(
        {
          method: exchange.method,
          path: `${target.base}${toOriginForm(head.target)}`,
          headers: [
            ...(head.host === undefined ? [] : ['host', head.host]),
            ...requestFields(exchange, head, target.hopName),
          ],
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
    try {
      const coding = tokensOf(headers, 'transfer-encoding').find((token) => token !== 'chunked');
      if (coding !== undefined) throw codedTransfer(coding);
      const id = headers['x-request-id'] ?? this.head.requestId;
      this.exchange.respond(responseHead(status, { ...headers, 'x-request-id': id }, reason));
    } catch (error) {
      return this.fail(error);
    }
    this.hasBody = !isBodiless(status);
    this.responded = true;
    this.stopTimer();
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    if (this.finished || !this.hasBody) return;
    try {
      // undici may use the memory again.
      if (!this.exchange.write(Buffer.from(chunk))) controller.pause();
    } catch (error) {
      this.breakOff(error);
      controller.abort(error as Error);
    }
  }

  onResponseEnd(_controller: Controller, trailers: Record<string, string | string[] | undefined>): void {
    if (this.finished) return;
    try {
      const takesTrailers = headerTokens(this.exchange.headers, 'te').some((token) => token.startsWith('trailers'));
      const fields = takesTrailers ? trailerFields(trailers) : [];
      this.exchange.end(undefined, fields.length === 0 ? undefined : fields);
    } catch (error) {
      return this.breakOff(error);
    }
    this.finished = true;
    this.stopTimer();
    this.outcome.onDone();
  }

  onResponseError(_controller: Controller | undefined, error: Error): void {
    if (this.finished) return;
    if (this.gone) {
      this.finished = true;
      this.outcome.onDone();
      return;
    }
    if (this.responded) return this.breakOff();
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
  private fail(error: unknown): void {
    this.finished = true;
    this.stopTimer();
    this.controller?.abort(error as Error);
    this.body?.destroy(error as Error);
    this.outcome.onError(error);
  }

  /** The answer has begun and cannot be whole. @param cause a fault of ours */
  private breakOff(cause?: unknown): void {
    this.finished = true;
    this.stopTimer();
    let fault = cause;
    try {
      this.exchange.abort();
    } catch (error) {
      fault ??= error;
    }
    this.outcome.onDone(fault);
  }

  private startTimer(): void {
    this.stopTimer();
    if (this.responded || this.finished) return;
    this.timer = setTimeout(() => this.fail(tooLate()), this.target.timeoutMs);
  }

  private stopTimer(): void {
    clearTimeout(this.timer);
    if (this.finished) clearTimeout(this.deadline);
  }

  private mayRetry(error: Error): boolean {
    const { method, hasBody } = this.exchange;
    const isCut =
      error instanceof undici().errors.SocketError || (error as NodeJS.ErrnoException).code === 'ECONNRESET';
    return isCut && !hasBody && (method === 'GET' || method === 'HEAD') && !this.isRetry;
  }

  private clientGone(): void {
    this.gone = true;
    this.stopTimer();
    clearTimeout(this.deadline);
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

const LOOP_HINT = '; change --fallback (fallback) to the server that has the other routes';

function leadsOut(target: string, base: string): StatusError {
  return StatusError.http(
    400,
    `the path of ${quote(target)} leads out of ${base}/, below which the fallback takes requests; write it without ".."`,
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
  if (error instanceof undici().errors.ConnectTimeoutError) {
    return StatusError.http(504, 'no connection to the fallback server came up in time (option connect_timeout)', {
      cause: error,
    });
  }
  if (error instanceof undici().errors.InvalidArgumentError) {
    return StatusError.http(400, `the fallback server cannot be sent this request: ${error.message}`, { cause: error });
  }
  const code = (error as NodeJS.ErrnoException).code;
  return StatusError.http(
    502,
    `the fallback server cannot be reached, or broke off${code === undefined ? '' : ` (${code})`}; start it, or change --fallback (fallback)`,
    { cause: error },
  );
}
