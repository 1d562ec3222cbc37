/** Decides once, from the options, which policies a listener has and in which order. */
import { addressPolicy } from './addresses.js';
import { methodOverridePolicy } from './method-override.js';
import type { PolicyOptions } from './options.js';
import { hostPolicy, isLoopback, originPolicy } from './origin.js';
import type { Policy } from './policy.js';
import { underscorePolicy } from './underscores.js';

/** The address that a listener binds; of a socket that is handed over it is known only once the port is open. */
export type ListenHost = string | (() => string);

/** The policies of a listener, in the order in which they run. */
export function compilePolicies(options: PolicyOptions, listenHost: ListenHost): readonly Policy[] {
  const policies: Policy[] = [];
  if (options.addresses !== undefined) policies.push(addressPolicy(options.addresses));
  if (options.refuseUnderscores) policies.push(underscorePolicy());
  // The checks see the method that was sent, so that an override cannot bypass them.
  if (!options.allowedHosts.includes('*')) policies.push(...hostCheck(options.allowedHosts, listenHost));
  if (options.checkOrigin) policies.push(originPolicy());
  if (options.methodOverride) policies.push(methodOverridePolicy());
  return policies;
}

function hostCheck(allowed: readonly string[], listenHost: ListenHost): Policy[] {
  if (typeof listenHost === 'string') return isLoopback(listenHost) ? [hostPolicy(allowed)] : [];
  const policy = hostPolicy(allowed);
  let applies: boolean | undefined;
  return [
    {
      name: policy.name,
      onRequest(request) {
        applies ??= isLoopback(listenHost());
        if (applies) policy.onRequest(request);
      },
    },
  ];
}
