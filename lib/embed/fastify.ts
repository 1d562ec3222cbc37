/**
 * The adapter for Fastify: a hook that runs before it reads bodies, for the whole instance that it is registered with, and
 * for paths that Fastify itself has no route for. A request that the gateway takes is out of Fastify's hands.
 * WebSockets of its routes are taken from the instance's server.
 */
import type { NodeRequest, NodeResponse } from '../server/index.js';
import { baseOf, type Host, isBelow } from './host.js';
import type { EmbeddedGateway, FastifyInstanceLike, FastifyPlugin, FastifyPluginOptions } from './types.js';

interface Wrapped<T> {
  readonly raw: T;
}

/** @param attach takes the WebSockets of a server. */
export function fastifyPlugin(host: Host, attach: EmbeddedGateway['attach']): FastifyPlugin {
  const plugin = (
    instance: FastifyInstanceLike,
    { prefix = '' }: FastifyPluginOptions,
    done: (error?: Error) => void,
  ): void => {
    const base = baseOf(prefix);
    attach(instance.server, { prefix });
    const hook = (
      { raw }: Wrapped<NodeRequest>,
      reply: Wrapped<NodeResponse> & { hijack(): unknown },
      goOn: () => void,
    ): void => {
      const embedded = host.connections.request(raw);
      // Another plugin has handed on an upgrade; ours are taken by the server's event.
      if ('upgrade' in raw && raw.upgrade === true) {
        if (!isBelow(embedded.start.target, base) || !host.takesSocket(embedded.start, base.length)) return goOn();
        return void reply.hijack();
      }
      if (!isBelow(embedded.start.target, base) || !host.takes(embedded.start, base, base.length)) return goOn();
      if (embedded.isGone(reply.raw)) return;
      reply.hijack();
      host.serve(embedded.open(reply.raw), base, base.length);
    };
    instance.addHook('onRequest', hook);
    done();
  };
  // Not an island of its own: the hook is one of the instance that registers the plugin.
  return Object.assign(plugin, {
    [Symbol.for('skip-override')]: true,
    [Symbol.for('fastify.display-name')]: 'photongate',
  });
}
