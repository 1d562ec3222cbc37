/** What `npm install` of the package brings, and nothing of this checkout, runs the command. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t from 'tap';
import { runCli } from '../support/cli.js';

interface Package {
  readonly dependencies: Record<string, string>;
  readonly files: readonly string[];
}

/** Without peers: whoever needs one installs it. */
function install(folder: string): void {
  const { dependencies, files } = JSON.parse(readFileSync('package.json', 'utf8')) as Package;
  for (const each of ['package.json', ...files]) cpSync(each, join(folder, each), { recursive: true });
  for (const name of Object.keys(dependencies)) {
    const place = join(folder, 'node_modules', name);
    mkdirSync(dirname(place), { recursive: true });
    symlinkSync(join(process.cwd(), 'node_modules', name), place);
  }
}

const proto = `syntax = "proto3";
import "google/api/annotations.proto";
service S { rpc Get(M) returns (M) { option (google.api.http) = { get: "/v1/{name}" }; } }
message M { string name = 1; }
`;

void t.test('without optional peers', async (t) => {
  // Not below this checkout, whose node_modules Node would find.
  const folder = mkdtempSync(join(tmpdir(), 'installed-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  install(folder);
  writeFileSync(join(folder, 'a.proto'), proto);
  const check = ['check', '--proto', 'a.proto', '--upstream', '127.0.0.1:1'];
  const options = { bin: join(folder, 'bin/photongate') };
  t.equal((await runCli(check, folder, options)).stdout, 'ok: 1 route, 0 warnings\n');
  const { code, stderr } = await runCli([...check, '--upstream-client', 'grpc-js'], folder, options);
  t.equal(code, 1);
  t.match(stderr, 'error[grpc-js-missing]: upstream_client: grpc-js needs the package @grpc/grpc-js');
});
