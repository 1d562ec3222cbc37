import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Test } from 'tap';

const repository = fileURLToPath(new URL('../..', import.meta.url));

/**
 * One of PhotonCloud's services in a process of its own, on the machine's clock, which can be killed; its database is in
 * `folder`.
 */
export async function spawnProcess(
  test: Test,
  entry: string,
  folder: string,
): Promise<{ port: number; kill: () => Promise<void> }> {
  const module = (path: string): string => JSON.stringify(pathToFileURL(join(repository, path)).href);
  const program = `
    import { Database } from ${module('examples/photoncloud/lib/database.ts')};
    import { services } from ${module('examples/photoncloud/services.ts')};
    const database = Database.open(${JSON.stringify(join(folder, 'photoncloud.db'))});
    const { start } = services.find(({ name }) => name === ${JSON.stringify(entry)});
    const service = await start({ host: '127.0.0.1', port: 0, database, dataDir: ${JSON.stringify(folder)} });
    console.log(service.port);
    process.stdin.resume().on('end', () => process.exit()); // not to outlive a test that was killed itself
  `;
  const child: ChildProcess = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', program], {
    cwd: repository,
    env: { PATH: process.env['PATH'] },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const kill = (): Promise<void> => {
    child.kill('SIGKILL');
    return exited;
  };
  test.teardown(kill);
  const port = await new Promise<number>((resolve, reject) => {
    child.stdout!.once('data', (line: Buffer) => resolve(Number(line)));
    child.once('exit', (code) => reject(new Error(`${entry} ended with ${code} before it listened`)));
  });
  return { port, kill };
}
