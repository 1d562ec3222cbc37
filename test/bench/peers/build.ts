/** Builds what the comparison needs besides photongate: the Go programs, and the descriptor set for Envoy. */
import { buildSync } from 'esbuild';
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const annotations = fileURLToPath(new URL('../../../annotations', import.meta.url));

export interface Built {
  /** `peers service`, `peers grpc-gateway`, `peers vanguard`, `peers load`. */
  readonly program: string;
  /** The peers that run on Node, as plain JavaScript like photongate. */
  readonly bare: string;
  readonly hand: string;
  readonly proto: string;
  readonly descriptorSet: string;
  /** Versions of the modules, by path. */
  readonly modules: Readonly<Record<string, string>>;
}

/** Builds in `folder`, in a minute or two the first time. */
export function build(folder: string): Built {
  const bin = join(folder, 'bin');
  const env = { ...process.env, GOBIN: bin, GOFLAGS: '-mod=mod', PATH: `${bin}:${process.env['PATH']}` };
  const run = (command: string, ...args: string[]): string =>
    execFileSync(command, args, { cwd: folder, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  mkdirSync(folder, { recursive: true });
  cpSync(here, folder, { recursive: true, filter: (file) => !file.endsWith('.ts') });
  if (!existsSync(join(folder, 'go.mod'))) {
    run('npm', 'install', '--silent', '--no-audit', '--no-fund', '--prefix', folder, 'protoc@36');
    for (const plugin of [
      'google.golang.org/protobuf/cmd/protoc-gen-go@latest',
      'google.golang.org/grpc/cmd/protoc-gen-go-grpc@latest',
      'github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-grpc-gateway@latest',
    ])
      run('go', 'install', plugin);
    run('go', 'mod', 'init', 'peers');
  }
  const outputs = ['go', 'go-grpc', 'grpc-gateway'].flatMap((name) => [
    `--${name}_out=.`,
    `--${name}_opt=module=peers`,
  ]);
  const includes = ['.', annotations, 'node_modules/protoc/include'].flatMap((root) => ['-I', root]);
  const descriptors = ['--descriptor_set_out=shop.pb', '--include_imports'];
  run('node', 'node_modules/protoc/protoc.cjs', ...includes, ...outputs, ...descriptors, 'shop.proto');
  run('go', 'mod', 'tidy');
  run('go', 'build', '-o', 'peers', '.');
  const scripts = ['bare', 'hand'].map((name) => join(here, `${name}.ts`));
  buildSync({
    entryPoints: scripts,
    outdir: folder,
    outExtension: { '.js': '.cjs' },
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
  });
  const modules = run('go', 'list', '-m', '-f', '{{.Path}} {{.Version}}', 'all')
    .split('\n')
    .map((line) => line.split(' ') as [string, string]);
  return {
    program: join(folder, 'peers'),
    bare: join(folder, 'bare.cjs'),
    hand: join(folder, 'hand.cjs'),
    proto: join(folder, 'shop.proto'),
    descriptorSet: join(folder, 'shop.pb'),
    modules: Object.fromEntries([...modules, ['go', run('go', 'env', 'GOVERSION').trim()]]),
  };
}

/** The version of an installed package of npm. */
export function packageVersion(name: string): string {
  return (createRequire(import.meta.url)(`${name}/package.json`) as { version: string }).version;
}
