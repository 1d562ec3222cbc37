/** The adapter for the Fetch API: `Request` → `Response`. */
import type { Peer } from '../exchange.js';
import { plainAddress } from '../metadata/index.js';
import { StatusError } from '../status.js';
import { bodyWasRead, missedUpgrade } from '../server/index.js';
import { FetchExchange } from './fetch-exchange.js';
import type { Host } from './host.js';
import type { FetchHandler, FetchOptions } from './types.js';

/** Makes `gateway.fetch`. */
export function fetchHandler(host: Host): FetchHandler {
  return async (request, given) => {
    const { next, clientAddress }: FetchOptions = typeof given === 'function' ? { next: given } : (given ?? {});
    const exchange = new FetchExchange(request, peerAt(clientAddress), host.connections.limits);
    if (next !== undefined && !host.takes(exchange)) return next(request);
    const wasRead = request.bodyUsed || request.body?.locked === true;
    exchange.start();
    exchange.onSettled(host.connections.watch(exchange));
    host.serve({
      exchange,
      enter: (start) => start(),
      problem: missedUpgrade(exchange) ?? problemOf(exchange.target, wasRead),
    });
    return exchange.response;
  };
}

/** Anything but an address must not pass for one: the client may have sent it. */
function peerAt(clientAddress: FetchOptions['clientAddress']): Peer {
  return { address: plainAddress(clientAddress ?? '') ?? 'unknown', port: 0 };
}

function problemOf(target: string, wasRead: boolean): StatusError | undefined {
  if (wasRead) return bodyWasRead();
  if (target.startsWith('/')) return undefined;
  return StatusError.http(400, 'the URL of the request has no path; expected one such as http://host/path');
}
