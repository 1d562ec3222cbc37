/** The adapter for Node's own servers, and for Express and Connect, whose handlers have the same form. */
import { cutOff, type Host } from './host.js';
import type { NodeHandler } from './types.js';

/** Makes `gateway.node` and `gateway.express`. */
export function nodeHandler(host: Host): NodeHandler {
  return (request, response, next) => {
    const embedded = host.connections.request(request);
    const { originalUrl } = request as { readonly originalUrl?: unknown };
    const base = cutOff(embedded.start.target, originalUrl);
    if (next !== undefined && !host.takes(embedded.start, base)) next();
    else if (!embedded.isGone(response)) host.serve(embedded.open(response), base);
  };
}
