/** The adapter for Node's own servers, and for Express and Connect, whose handlers have the same form. */
import { cutOff, type Host } from './host.js';
import type { NodeHandler } from './types.js';

/** Makes `gateway.node` and `gateway.express`. */
export function nodeHandler(host: Host): NodeHandler {
  return (request, response, next) => {
    const embedded = host.connections.request(request);
    if (next !== undefined && !host.takes(embedded.start)) next();
    else if (!embedded.isGone(response)) {
      const { originalUrl } = request as { readonly originalUrl?: unknown };
      host.serve(embedded.open(response), cutOff(embedded.start.target, originalUrl));
    }
  };
}
