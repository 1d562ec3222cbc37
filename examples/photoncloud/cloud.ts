/**
 * PhotonCloud as a whole in one process: its services, each a gRPC server of its own on one database, and photongate in
 * front of them as `photongate.yaml` says.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Config, loadConfig, type RunningProxy, startProxy } from '../../lib/index.js';
import { startIam } from './iam.js';
import { Database } from './lib/database.js';
import { makeFolder } from './lib/folder.js';
import { hostAndPort, logToStderr } from './lib/grpc.js';
import type { RemoteOptions } from './lib/remote-database.js';
import type { RunningService, StartOptions } from './lib/service.js';
import { type ServiceEntry, services } from './services.js';

/** Where it listens and where it keeps its data. */
export interface CloudOptions {
  /** The address of the REST APIs; gRPC stays on the loopback. */
  readonly host: string;
  /** Made where it is not there. */
  readonly dataDir: string;
  /** A libSQL server instead of a file in `dataDir`, for all but FlareDB's SQL and the bytes of objects. */
  readonly database?: Pick<RemoteOptions, 'url' | 'authToken'> | undefined;
  /** Any free ports instead of those of the table in `services.ts`. */
  readonly freePorts?: boolean;
  /** Calls need a token, as `auth.yaml` says. Default: everybody may do everything. */
  readonly auth?: AuthOptions | undefined;
}

/** Who may call. */
export interface AuthOptions {
  /** Of the user `admin`, where it has to be created. Default: a random one, told by `PhotonCloud.admin`. */
  readonly adminPassword?: string | undefined;
}

/** The administrator that was made at this start. */
export interface NewAdmin {
  readonly username: string;
  readonly password: string;
}

/** A service that runs, and where. */
export interface ServiceAddresses {
  readonly name: string;
  /** Base URL of its REST API: `http://127.0.0.1:8081`. */
  readonly url: string;
  readonly grpcPort: number;
}

/** PhotonCloud, running. */
export interface PhotonCloud {
  /** In the order of their ports. */
  readonly services: readonly ServiceAddresses[];
  /** Base URL of the port that serves all of them, each below its name. */
  readonly url: string;
  /** Undefined where there was an administrator already, and without `auth`. */
  readonly admin: NewAdmin | undefined;
  /** Ends requests in flight, then the services, then the database. */
  close(): Promise<void>;
}

const grpcHost = '127.0.0.1';

/** Starts everything; where something does not start, what did is closed again before this throws. */
export async function startCloud(options: CloudOptions): Promise<PhotonCloud> {
  makeFolder(options.dataDir);
  const database =
    options.database === undefined
      ? Database.open(join(options.dataDir, 'photoncloud.db'))
      : await Database.connect({ ...options.database, log: logToStderr });
  const running = new Map<ServiceEntry, RunningService>();
  let admin: NewAdmin | undefined;
  const onAdmin = (created: NewAdmin): void => {
    admin = created;
  };
  const closeServices = async (): Promise<void> => {
    await Promise.all([...running.values()].map((service) => service.close()));
    database.close();
  };
  try {
    for (const service of services) running.set(service, await startService(service, database, options, onAdmin));
    const proxy = await startGate(running, options);
    const close = async (): Promise<void> => {
      await proxy.drain();
      await closeServices();
    };
    return { ...addresses(running, proxy), admin, close };
  } catch (error) {
    await closeServices();
    throw error;
  }
}

async function startService(
  { name, grpcPort, start }: ServiceEntry,
  database: Database,
  { dataDir, freePorts, auth }: CloudOptions,
  onAdmin: (created: NewAdmin) => void,
): Promise<RunningService> {
  const port = freePorts === true ? 0 : grpcPort;
  try {
    const options = { host: grpcHost, port, database, dataDir };
    return await (name === 'iam' && auth !== undefined ? startGuardedIam(options, auth, onAdmin) : start(options));
  } catch (error) {
    throw new Error(`${name} does not start: ${(error as Error).message}`, { cause: error });
  }
}

/** With an administrator: without one nobody could create the first user. */
function startGuardedIam(
  options: StartOptions,
  { adminPassword }: AuthOptions,
  onCreated: (created: NewAdmin) => void,
): Promise<RunningService> {
  const admin = { username: 'admin', password: adminPassword ?? randomBytes(12).toString('base64url') };
  return startIam({ ...options, admin: { ...admin, onCreated: () => onCreated(admin) } });
}

/** The configuration of the file, with the addresses of these services. */
async function startGate(
  running: ReadonlyMap<ServiceEntry, RunningService>,
  { host, freePorts, auth }: CloudOptions,
): Promise<RunningProxy> {
  const file = pathOf('photongate.yaml');
  const upstreams = [...running].map(([service, { port }]) => ({
    name: service.package,
    target: `${grpcHost}:${port}`,
  }));
  const config = loadConfig({ file, flags: { upstreams } });
  const listeners = config.listeners.map((listener) => ({
    ...listener,
    host,
    port: freePorts === true ? 0 : listener.port,
  }));
  const atPorts = { ...config, listeners };
  if (auth === undefined) return startProxy(atPorts);
  const iamUrl = `http://${hostAndPort(reachable(host), iamPort)}`;
  const proxy = await startProxy(guarded(atPorts, iamUrl));
  if (freePorts !== true) return proxy;
  try {
    // The keys are at a port that the system has chosen.
    await proxy.reload(guarded(atPorts, addresses(running, proxy).services.find(isIam)!.url));
  } catch (error) {
    await proxy.drain();
    throw error;
  }
  return proxy;
}

/** With the policies of `auth.yaml`, and the keys of this IAM. */
function guarded(config: Config, iamUrl: string): Config {
  const policies = loadConfig({ file: pathOf('auth.yaml'), flags: { proto: config.sources.protos } });
  const jwt = policies.listeners[0]!.root.options.jwt!;
  const jwks = { kind: 'url', url: `${iamUrl}/.well-known/jwks.json` } as const;
  const options = { jwt: { ...jwt, providers: jwt.providers.map((provider) => ({ ...provider, jwks })) } };
  const withJwt = (mount: MountConfig): MountConfig => ({ ...mount, options: { ...mount.options, ...options } });
  return {
    ...config,
    listeners: config.listeners.map((listener) => ({
      ...listener,
      root: withJwt(listener.root),
      mounts: listener.mounts.map(withJwt),
    })),
  };
}

type MountConfig = Config['listeners'][number]['root'];

function pathOf(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url));
}

/** A listener on all addresses is reached by the loopback. */
function reachable(host: string): string {
  return host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
}

function isIam({ name }: { readonly name: string }): boolean {
  return name === 'iam';
}

function addresses(
  running: ReadonlyMap<ServiceEntry, RunningService>,
  { prepared, urls }: RunningProxy,
): Pick<PhotonCloud, 'services' | 'url'> {
  const urlAt = (port: number): string =>
    urls[prepared.listeners.findIndex(({ config }) => config.listen.endsWith(`:${port}`))]!;
  return {
    services: [...running].map(([{ name, httpPort }, { port }]) => ({ name, url: urlAt(httpPort), grpcPort: port })),
    url: urlAt(allServicesPort),
  };
}

/** Where the proxy serves IAM. */
const iamPort = services.find(isIam)!.httpPort;

/** Where the proxy serves all of them. */
const allServicesPort = 8080;
