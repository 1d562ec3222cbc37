/**
 * PhotonCloud as a whole in one process: its services, each a gRPC server of its own on one database, and photongate in
 * front of them as `photongate.yaml` says.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadConfig, type RunningProxy, startProxy } from '../../lib/index.js';
import { Database } from './lib/database.js';
import type { RunningService } from './lib/service.js';
import { type ServiceEntry, services } from './services.js';

/** Where it listens and where it keeps its data. */
export interface CloudOptions {
  /** The address of the REST APIs; gRPC stays on the loopback. */
  readonly host: string;
  /** Made where it is not there. */
  readonly dataDir: string;
  /** Any free ports instead of those of the table in `services.ts`. */
  readonly freePorts?: boolean;
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
  /** Ends requests in flight, then the services, then the database. */
  close(): Promise<void>;
}

const grpcHost = '127.0.0.1';

/** Starts everything; where something does not start, what did is closed again before this throws. */
export async function startCloud(options: CloudOptions): Promise<PhotonCloud> {
  const database = Database.open(join(options.dataDir, 'photoncloud.db'));
  const running = new Map<ServiceEntry, RunningService>();
  const closeServices = async (): Promise<void> => {
    await Promise.all([...running.values()].map((service) => service.close()));
    database.close();
  };
  try {
    for (const service of services) running.set(service, await startService(service, database, options));
    const proxy = await startGate(running, options);
    const close = async (): Promise<void> => {
      await proxy.drain();
      await closeServices();
    };
    return { ...addresses(running, proxy), close };
  } catch (error) {
    await closeServices();
    throw error;
  }
}

async function startService(
  { name, grpcPort, start }: ServiceEntry,
  database: Database,
  { dataDir, freePorts }: CloudOptions,
): Promise<RunningService> {
  const port = freePorts === true ? 0 : grpcPort;
  try {
    return await start({ host: grpcHost, port, database, dataDir });
  } catch (error) {
    throw new Error(`${name} does not start at ${grpcHost}:${port}: ${(error as Error).message}`, { cause: error });
  }
}

/** The configuration of the file, with the addresses of these services. */
function startGate(
  running: ReadonlyMap<ServiceEntry, RunningService>,
  { host, freePorts }: CloudOptions,
): Promise<RunningProxy> {
  const file = fileURLToPath(new URL('photongate.yaml', import.meta.url));
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
  return startProxy({ ...config, listeners });
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

/** Where the proxy serves all of them. */
const allServicesPort = 8080;
