/**
 * A reverse proxy to an HTTP/2 server, for requests that no route matches: gRPC of services whose schema is not known too, so
 * trailers pass. Uses the connections that calls to the same server use. Bytes stream both ways, each side held back by the
 * other.
 */
import { randomBytes } from 'node:crypto';
import type { CallStatus, Exchange, HttpChannel, HttpListener, HttpRequest } from '../exchange.js';
import { header, headerTokens, type HeaderFields, headerPairs } from '../headers.js';
import { MAX_TIMER_MS } from '../options/index.js';
import { Code, StatusError } from '../status.js';
import { toOriginForm } from '../uri.js';
import { isLoop, loopOf } from './loop.js';
import type { Fallback, FallbackOutcome, ForwardedHead } from './types.js';
import { type ParsedFields, requestFields, responseHead, trailerFields } from './headers.js';

/** Sends requests to the server of a channel. */
export class Http2Fallback implements Fallback {
  private readonly hopName = `photongate-${randomBytes(6).toString('hex')}`;

  constructor(private readonly channel: HttpChannel) {}

  forward(exchange: Exchange, head: ForwardedHead, outcome: FallbackOutcome): void {
    if (isLoop(exchange.headers, this.hopName)) return outcome.onError(loopOf('this route'));
    new Http2Forwarding(exchange, head, outcome).start(this.channel, this.hopName);
  }
}

class Http2Forwarding implements HttpListener {
  private request: HttpRequest | undefined;
  private timer: NodeJS.Timeout | undefined;
  private responded = false;
  private finished = false;

  constructor(
    private readonly exchange: Exchange,
    private readonly head: ForwardedHead,
    private readonly outcome: FallbackOutcome,
  ) {}

  start(channel: HttpChannel, hopName: string): void {
    const { exchange, head } = this;
    const request = channel.request(this.fields(hopName), this, head.hashKey);
    this.request = request;
    exchange.onClose(() => this.clientGone());
    exchange.onDrain(() => request.resume());
    const { timeoutMs } = head;
    if (timeoutMs !== undefined) {
      this.timer = setTimeout(() => this.giveUp(tooLate()), Math.min(timeoutMs, MAX_TIMER_MS));
    }
    if (exchange.hasBody) this.sendBody(request);
    else request.end();
  }

  private fields(hopName: string): HeaderFields {
    const { exchange, head } = this;
    const takesTrailers = headerTokens(exchange.headers, 'te').includes('trailers');
    const host = head.host ?? header(exchange.headers, 'host');
    return [
      ':method',
      exchange.method,
      ':path',
      toOriginForm(head.target),
      ...(host === undefined ? [] : [':authority', host]),
      ...requestFields(exchange, head, hopName),
      ...(takesTrailers ? ['te', 'trailers'] : []),
    ];
  }

  private sendBody(request: HttpRequest): void {
    const { exchange } = this;
    exchange.continue();
    exchange.read({
      onData(chunk) {
        if (!request.write(chunk)) exchange.pause();
      },
      onEnd: () => request.end(),
      onAbort: (error) => {
        if (error === undefined) this.clientGone();
        else this.giveUp(error);
      },
    });
  }

  onDrain(): void {
    if (!this.finished) this.exchange.resume();
  }

  onHead(status: number, headers: HeaderFields, last: boolean): void {
    this.guard(() => {
      const parsed = parsedOf(headers);
      const id = parsed['x-request-id'] ?? this.head.requestId;
      this.exchange.respond(responseHead(status, { ...parsed, 'x-request-id': id }, undefined));
      this.responded = true;
      if (last) this.complete([]);
    });
  }

  onData(chunk: Buffer): boolean {
    let hasRoom = true;
    this.guard(() => (hasRoom = this.finished || this.exchange.write(chunk)));
    return hasRoom;
  }

  onTrailers(trailers: HeaderFields): void {
    this.guard(() => {
      const { exchange } = this;
      const takesTrailers = exchange.httpVersion === '2' || headerTokens(exchange.headers, 'te').includes('trailers');
      this.complete(takesTrailers ? trailerFields(parsedOf(trailers)) : []);
    });
  }

  onEnd(): void {
    this.guard(() => this.complete([]));
  }

  private complete(trailers: HeaderFields): void {
    if (this.finished) return;
    this.exchange.end(undefined, trailers.length === 0 ? undefined : trailers);
    this.finish();
    this.outcome.onDone();
  }

  onFail(status: CallStatus): void {
    this.fail(unreachable(status));
  }

  private giveUp(error: StatusError): void {
    this.request?.cancel();
    this.fail(error);
  }

  private fail(error: unknown, fault?: unknown): void {
    if (this.finished) return;
    this.finish();
    if (!this.responded) return this.outcome.onError(error);
    this.exchange.abort();
    this.outcome.onDone(fault);
  }

  /** What cannot be passed on ends the request. */
  private guard(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.request?.cancel();
      this.fail(error, error);
    }
  }

  private clientGone(): void {
    if (this.finished) return;
    this.finish();
    this.request?.cancel();
    this.outcome.onDone();
  }

  private finish(): void {
    this.finished = true;
    clearTimeout(this.timer);
  }
}

function parsedOf(fields: HeaderFields): ParsedFields {
  const parsed = new Map<string, string[]>();
  for (const [name, value] of headerPairs(fields)) parsed.set(name, [...(parsed.get(name) ?? []), value]);
  return Object.fromEntries(parsed);
}

function tooLate(): StatusError {
  return StatusError.http(504, 'upstream request timeout');
}

/** The channel's own words name the server, which clients do not see. */
function unreachable({ message, diagnosis, httpStatus, httpHeaders = [], code }: CallStatus): StatusError {
  const status = httpStatus ?? (code === Code.INTERNAL ? 502 : 503);
  const cause = diagnosis === undefined ? undefined : new Error(diagnosis);
  return StatusError.http(status, message, { cause, headers: headerPairs(httpHeaders) });
}
