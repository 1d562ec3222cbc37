/** The adapter for Node's own servers, and for Express and Connect, whose handlers have the same form. */
import { embeddedRequest } from '../server/index.js';
import type { Host } from './host.js';
import type { NodeHandler } from './types.js';

export function nodeHandler(host: Host): NodeHandler {
  return (request, response, next) => {
    const embedded = embeddedRequest(request, host.idleTimeoutMs);
    if (next !== undefined && !host.takes(embedded.start)) next();
    else if (!embedded.isGone(response)) host.serve(embedded.open(response));
  };
}
