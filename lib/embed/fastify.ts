/**
 * The adapter for Fastify: a hook that runs before it reads bodies, for the whole instance that it is registered with, and
 * for paths that Fastify itself has no route for. A request that the gateway takes is out of Fastify's hands.
 */
import { embeddedRequest, type NodeRequest, type NodeResponse } from '../server/index.js';
import type { Host } from './host.js';
import type { FastifyInstanceLike, FastifyPlugin, FastifyPluginOptions } from './types.js';

interface Wrapped<T> {
  readonly raw: T;
}

export function fastifyPlugin(host: Host): FastifyPlugin {
  const plugin = (
    instance: FastifyInstanceLike,
    { prefix = '' }: FastifyPluginOptions,
    done: (error?: Error) => void,
  ): void => {
    const base = prefix.replace(/\/+$/, '');
    const hook = (
      { raw }: Wrapped<NodeRequest>,
      reply: Wrapped<NodeResponse> & { hijack(): unknown },
      goOn: () => void,
    ): void => {
      const embedded = embeddedRequest(raw, host.idleTimeoutMs);
      if (!isBelow(embedded.start.target, base) || !host.takes(embedded.start, base.length)) return goOn();
      if (embedded.isGone(reply.raw)) return;
      reply.hijack();
      host.serve(embedded.open(reply.raw), base.length);
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

function isBelow(target: string, base: string): boolean {
  return base === '' || (target.startsWith(base) && /^(?:[/?]|$)/.test(target.slice(base.length)));
}
