/**
 * Options → a gateway without a listener, and its adapters. What comes in is an `Exchange` like any other from here on; the
 * application keeps its server, and with it the limits of connections and heads.
 */
import { libraryName, type LibraryOptions, loadConfig, optionSpecs } from '../config/index.js';
import { Connections } from '../connections.js';
import { largeMessageOptions } from '../gateway/index.js';
import { prepareProxy } from '../proxy/index.js';
import { ConfigError, type Problem } from '../status.js';
import { threadsFor } from '../threads/index.js';
import { fastifyPlugin } from './fastify.js';
import { fetchHandler } from './fetch.js';
import { Host } from './host.js';
import { nodeHandler } from './node.js';
import type { EmbeddedGateway, GatewayInput } from './types.js';
import { Upgrades } from './upgrade.js';

/**
 * Makes a gateway to be called from a server of yours. Upstreams may be down.
 *
 *     const gateway = createGateway({ proto: 'greeter.proto', upstreams: '127.0.0.1:50051' });
 *     createServer(gateway.node).listen(8080);
 *
 * @throws ConfigError with everything that is wrong in the options and the files that they name.
 */
export function createGateway(input: GatewayInput): EmbeddedGateway {
  const { proto, protoPath, descriptorSet, services, rules, upstreams, workingDirectory, ...given } = input;
  const errorFormat = typeof given.errorFormat === 'function' ? given.errorFormat : undefined;
  const options = { ...given, errorFormat: errorFormat === undefined ? given.errorFormat : undefined };
  refuseForeignOptions(options);
  const flags = {
    ...withList('proto', proto),
    ...withList('protoPath', protoPath),
    ...withList('descriptorSet', descriptorSet),
    ...withList('services', services),
    ...withList('rules', rules),
    ...withList('upstreams', upstreams),
    options: options as LibraryOptions,
  };
  const config = loadConfig({ flags, ...(workingDirectory === undefined ? {} : { workingDirectory }) });
  // No address: whether it is one of loopback, and so in danger of DNS rebinding, is not known here.
  const listeners = config.listeners.map((listener) => ({ ...listener, listen: '', host: '' }));
  const connections = new Connections();
  const ownConfig = { ...config, listeners };
  // A function of the application cannot be called in another thread.
  const threads = errorFormat === undefined ? threadsFor(ownConfig) : undefined;
  const prepared = prepareProxy(ownConfig, { connections, errorFormat, largeMessages: threads });
  for (const { lease } of prepared.listeners) lease.start();
  const [part] = prepared.listeners[0]!.parts;
  const release = (): void => {
    connections.close();
    threads?.close();
  };
  const host = new Host(part!.gateway, part!.config.options, release, askedPages(given));
  const node = nodeHandler(host);
  const { handler: upgrade, attach } = new Upgrades(host);
  return {
    warnings: prepared.warnings,
    node,
    express: node,
    fastify: fastifyPlugin(host, attach),
    fetch: fetchHandler(host),
    upgrade,
    attach,
    close: () => host.close(),
  };
}

/**
 * The pages that an application asked for, which it has at its root, too. Those of the documentation link to each other and to
 * `/health`, so that whoever asks for one gets all that are on.
 */
function askedPages({
  index,
  docs,
  openapi,
  asyncapi,
  health,
}: Pick<LibraryOptions, 'index' | 'docs' | 'openapi' | 'asyncapi' | 'health'>): (path: string) => boolean {
  const isDocumented = index === true || docs === true || openapi === true || asyncapi === true;
  return (path) => isDocumented || (health === true && path === '/health');
}

function withList<K extends string>(key: K, given: string | readonly string[] | undefined): { [P in K]?: string[] } {
  if (given === undefined) return {};
  return { [key]: typeof given === 'string' ? [given] : [...given] } as { [P in K]?: string[] };
}

/** Those of a listener that hold for requests, too. */
const heldHere = new Set(['idle_timeout', 'write_timeout', 'drain_timeout', 'max_connection_requests']);

const listenerOnly = new Set(
  optionSpecs
    .filter(
      ({ name, listenerOnly: isListenerOnly }) => (isListenerOnly && !heldHere.has(name)) || name === 'allowed_hosts',
    )
    .map(({ name }) => libraryName(name)),
);

/** Of the command, because a gateway in an application neither logs nor knows where it runs. */
const commandOnly = new Set(
  optionSpecs
    .filter(({ name, processOnly }) => processOnly && !(name in largeMessageOptions))
    .map(({ name }) => libraryName(name)),
);

const otherNames: Readonly<Record<string, string>> = {
  upstream: 'write upstreams: "127.0.0.1:50051", or a list',
  service: 'write services: "package.Service", or a list',
  listen: 'leave it out: the server of the application listens',
};

/** An option without an effect would look as if it had one. */
function refuseForeignOptions(options: object): void {
  const problems: Problem[] = [];
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined && commandOnly.has(name)) problems.push(ofProcess(name));
    const hint = otherNames[name];
    if (value === undefined || !(listenerOnly.has(name) || hint !== undefined)) continue;
    problems.push(
      hint === undefined
        ? {
            code: 'bad-option',
            message: `${name}: this is an option of listeners, and an embedded gateway has none`,
            hint: 'remove it, and set the corresponding option of your own server',
          }
        : { code: 'unknown-option', message: `there is no option "${name}" in createGateway`, hint },
    );
  }
  if (problems.length > 0) throw new ConfigError(problems);
}

function ofProcess(name: string): Problem {
  return {
    code: 'bad-option',
    message: `${name}: this is an option of the command "photongate", and an embedded gateway logs nothing itself`,
    hint: 'leave it out, and subscribe to photongate:error and photongate:failure of node:diagnostics_channel',
  };
}
