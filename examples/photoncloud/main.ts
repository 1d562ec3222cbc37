/**
 * `npm start`: PhotonCloud's reference services, each a gRPC server of its own, and photongate in front of them.
 *
 *   npm start -- [--host ADDRESS] [--data-dir FOLDER]
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ConfigError, curlLine, loadConfig, type RunningProxy, startProxy } from '../../lib/index.js';
import { Database } from './lib/database.js';
import type { RunningService } from './lib/service.js';
import { services } from './services.js';

const usage = `usage: npm start -- [--host ADDRESS] [--data-dir FOLDER]

  --host ADDRESS     where the REST API listens; 0.0.0.0 for other machines  [default: 127.0.0.1]
  --data-dir FOLDER  where the services keep their data  [default: data]
`;

interface Settings {
  readonly host: string;
  readonly dataDir: string;
}

/** Undefined where only the usage was asked for. */
function settingsOf(args: string[]): Settings | undefined {
  const { values } = parseArgs({
    args,
    options: {
      host: { type: 'string', default: '127.0.0.1' },
      'data-dir': { type: 'string', default: 'data' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  return { host: values.host, dataDir: values['data-dir'] };
}

async function startServices(database: Database, dataDir: string): Promise<RunningService[]> {
  const running: RunningService[] = [];
  for (const { grpcPort, start } of services) {
    running.push(await start({ host: '127.0.0.1', port: grpcPort, database, dataDir }));
  }
  return running;
}

/** The configuration of the file, on another address if asked for. */
function startGate(host: string): Promise<RunningProxy> {
  const file = fileURLToPath(new URL('photongate.yaml', import.meta.url));
  const config = loadConfig({ file });
  return startProxy({ ...config, listeners: config.listeners.map((listener) => ({ ...listener, host })) });
}

function announce(proxy: RunningProxy): void {
  proxy.prepared.listeners.forEach(({ parts }, index) => {
    const url = proxy.urls[index]!;
    console.log(`photongate: listening on ${url}\n`);
    for (const { config, bindings } of parts) {
      for (const binding of bindings) {
        if (binding.index === 0) console.log(`  ${curlLine(binding, `${url}${config.prefix}`)}`);
      }
    }
    console.log(`  curl ${url}/health\n`);
  });
  console.log('Ctrl-C stops everything.');
}

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    const onSignal = (): void => {
      process.on('SIGINT', () => process.exit(130));
      resolve();
    };
    process.once('SIGINT', onSignal);
    process.once('SIGTERM', onSignal);
  });
}

async function main(): Promise<void> {
  const settings = settingsOf(process.argv.slice(2));
  if (settings === undefined) {
    console.log(usage);
    return;
  }
  const stopped = stopSignal();
  const database = Database.open(join(settings.dataDir, 'photoncloud.db'));
  const running = await startServices(database, settings.dataDir);
  try {
    const proxy = await startGate(settings.host);
    announce(proxy);
    await stopped;
    await proxy.drain();
  } finally {
    await Promise.all(running.map((service) => service.close()));
    database.close();
  }
}

main().catch((error: unknown) => {
  if (error instanceof ConfigError) {
    for (const { message, hint } of error.problems) {
      console.error(`photongate: ${message}${hint === undefined ? '' : `\n  ${hint}`}`);
    }
  } else {
    console.error(error instanceof Error ? `npm start: ${error.message}\n\n${usage}` : error);
  }
  process.exitCode = 1;
});
