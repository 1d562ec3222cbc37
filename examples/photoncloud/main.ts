/**
 * `npm start`: PhotonCloud's reference services, each a gRPC server of its own, and photongate in front of them.
 *
 *   npm start -- [--host ADDRESS] [--data-dir FOLDER] [--seed]
 */
import { parseArgs } from 'node:util';
import { ConfigError } from '../../lib/index.js';
import { type PhotonCloud, startCloud } from './cloud.js';
import { seed } from './seed.js';

const usage = `usage: npm start -- [--host ADDRESS] [--data-dir FOLDER] [--seed]

  --host ADDRESS     where the REST APIs listen; 0.0.0.0 for other machines  [default: 127.0.0.1]
  --data-dir FOLDER  where the services keep their data  [default: data]
  --seed             put sample data into each service, where it is not there yet
`;

interface Settings {
  readonly host: string;
  readonly dataDir: string;
  readonly seed: boolean;
}

/** Undefined where only the usage was asked for. */
function settingsOf(args: string[]): Settings | undefined {
  const { values } = parseArgs({
    args,
    options: {
      host: { type: 'string', default: '127.0.0.1' },
      'data-dir': { type: 'string', default: 'data' },
      seed: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return undefined;
  return { host: values.host, dataDir: values['data-dir'], seed: values.seed };
}

/** A table of the services, then where to look. */
function announcement({ services, url }: PhotonCloud, dataDir: string): string {
  const rows = [
    ['SERVICE', 'REST', 'gRPC', `BELOW ${url}`],
    ...services.map(({ name, url, grpcPort }) => [name, url, `127.0.0.1:${grpcPort}`, `/${name}`]),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const table = rows.map((row) => `  ${row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ')}`.trimEnd());
  const chainfire = services[0]!.url;
  return `PhotonCloud is up, its data in ${dataDir}.

${table.join('\n')}

Each URL has /docs (to try calls in a browser), /openapi.json, /health, and a list of its routes at /. Try:

  curl ${url}/
  curl -X PUT ${chainfire}/api/v1/kv/greeting -d '{"value":"hello"}'
  curl ${chainfire}/api/v1/kv/greeting

Ctrl-C stops everything.`;
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
  const cloud = await startCloud(settings);
  try {
    if (settings.seed) console.log(`Sample data: ${await seed(cloud.services)}\n`);
    console.log(announcement(cloud, settings.dataDir));
    await stopped;
  } finally {
    await cloud.close();
  }
}

main().catch((error: unknown) => {
  if (error instanceof ConfigError) {
    for (const { message, hint } of error.problems) {
      console.error(`photongate: ${message}${hint === undefined ? '' : `\n  ${hint}`}`);
    }
  } else {
    const aboutUsage = (error as { code?: unknown }).code?.toString().startsWith('ERR_PARSE_ARGS') === true;
    console.error(error instanceof Error ? `npm start: ${error.message}${aboutUsage ? `\n\n${usage}` : ''}` : error);
  }
  process.exitCode = 1;
});
