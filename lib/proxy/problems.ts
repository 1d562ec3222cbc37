/** What is odd about a configuration as a whole. */
import type { ListenerConfig, MountConfig } from '../config/index.js';
import type { BuiltGateway } from '../gateway/index.js';
import type { Problem, ProblemList } from '../status.js';
import { unusedUpstreams } from '../upstream/index.js';

/** What a listener or mount has. */
type Served = Pick<BuiltGateway, 'bindings' | 'services'> & { readonly config: MountConfig };

/** Virtual hosts pass requests and answers on without looking into them. */
export function reportUnfiltered({ root, routes }: ListenerConfig, problems: ProblemList): void {
  if (routes === undefined) return;
  const served = [root, ...routes.transcoders.map(({ mount }) => mount)];
  if (served.every(({ options }) => options.visibility === undefined)) return;
  problems.error({
    code: 'visibility-routes',
    message: 'visibility is set, but virtual_hosts pass on what no rule takes, so that nothing would be hidden there',
    hint: 'leave out one of them: serve what is restricted on a listener of its own',
  });
}

/** A warning for each upstream whose name matches nothing that any listener serves: mostly misspelt. */
export function warnOfUnusedUpstreams(parts: readonly Served[], problems: ProblemList): void {
  const services = parts.flatMap((part) => part.services.map(({ name }) => name));
  const names = new Set(parts.flatMap(({ config }) => config.upstreams.map(({ name }) => name)));
  for (const problem of unusedUpstreams(names, services)) problems.warn(problem);
}

/** A proxy that answers every request with 404 is hardly meant. */
export function warnOfNoRoutes(parts: readonly Served[], problems: ProblemList): void {
  const answersOtherwise = parts.some(
    ({ bindings, config: { options } }) =>
      bindings.length > 0 || options.passThrough === 'all' || options.fallback !== undefined,
  );
  const services = parts.flatMap((part) => part.services);
  if (answersOtherwise || services.length === 0 || problems.errors.length > 0) return;
  problems.warn({
    code: 'no-routes',
    message: `no route is served: none of the methods of ${services.map(({ name }) => name).join(', ')} has a google.api.http rule`,
    hint: '"photongate suggest" proposes rules for --rules; --auto-mapping serves every method at POST /package.Service/Method',
  });
}

/** Listeners may share what is wrong. */
export function withoutRepeats(problems: readonly Problem[]): Problem[] {
  return [...new Map(problems.map((problem) => [JSON.stringify(problem), problem])).values()];
}
