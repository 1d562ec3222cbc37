/** The adapter for the Fetch API: `Request` → `Response`. */
import { StatusError } from '../status.js';
import { bodyWasRead, missedUpgrade } from '../server/index.js';
import { FetchExchange } from './fetch-exchange.js';
import type { Host } from './host.js';
import type { FetchHandler } from './types.js';

export function fetchHandler(host: Host): FetchHandler {
  return async (request, next) => {
    const exchange = new FetchExchange(request, host.idleTimeoutMs);
    if (next !== undefined && !host.takes(exchange)) return next(request);
    const wasRead = request.bodyUsed || request.body?.locked === true;
    exchange.start();
    host.serve({
      exchange,
      problem: missedUpgrade(exchange) ?? problemOf(exchange.target, wasRead),
      cut: () => exchange.cut(),
      onSettled: (listener) => exchange.onSettled(listener),
    });
    return exchange.response;
  };
}

function problemOf(target: string, wasRead: boolean): StatusError | undefined {
  if (wasRead) return bodyWasRead();
  if (target.startsWith('/')) return undefined;
  return StatusError.http(400, 'the URL of the request has no path; expected one such as http://host/path');
}
