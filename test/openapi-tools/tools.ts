/** The tools: how each is installed, and what it makes of documents. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import openapiTS, { astToString } from 'openapi-typescript';
import type { ToolDocument } from './documents.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

export interface Tool {
  readonly name: string;
  /** Into an empty folder; answers with the reason if it cannot be here. */
  install(home: string): Promise<string | undefined>;
  /** What it said, by the name of a document that it did not take. */
  check(documents: readonly ToolDocument[], home: string): Promise<ReadonlyMap<string, string>>;
}

interface Ended {
  readonly failed: boolean;
  /** Whatever it printed. */
  readonly text: string;
}

const MINUTE = 60_000;

export function run(command: string, args: readonly string[], cwd: string, env: object = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { cwd, env: { ...process.env, ...env }, timeout: 5 * MINUTE, maxBuffer: 256 * 1024 ** 2 };
    execFile(command, args, options, (error, stdout, stderr) => {
      resolve({ failed: error !== null, text: `${stdout}${stderr}` });
    });
  });
}

/** @throws Error if it fails: what a tool is made of must be there. */
export async function must(command: string, args: readonly string[], cwd: string, env: object = {}): Promise<string> {
  const { failed, text } = await run(command, args, cwd, env);
  if (failed) throw new Error(`${command} ${args.join(' ')}\n${text.slice(-3000)}`);
  return text;
}

async function hasCommand(command: string, ...args: string[]): Promise<boolean> {
  return !(await run(command, args, root)).failed;
}

/** Each document by itself; those that `use` fails for are reported. */
async function forEach(
  documents: readonly ToolDocument[],
  use: (document: ToolDocument) => Promise<Ended>,
): Promise<Map<string, string>> {
  const failures = new Map<string, string>();
  for (const document of documents) {
    const { failed, text } = await use(document);
    if (failed) failures.set(document.name, text);
  }
  return failures;
}

export async function installNpm(home: string, ...packages: string[]): Promise<undefined> {
  const flags = ['--no-audit', '--no-fund', '--no-save', '--ignore-scripts'];
  await must('npm', ['install', '--prefix', home, ...flags, ...packages], home);
  return undefined;
}

/** Into a virtual environment. */
export async function installPython(home: string, ...packages: string[]): Promise<string | undefined> {
  if (!(await hasCommand('python3', '--version'))) return 'no python3 here';
  await must('python3', ['-m', 'venv', home], home);
  await must(join(home, 'bin/pip'), ['install', '-q', ...packages], home);
  return undefined;
}

/** Code that was made from a document lies in a folder of the document's name; one compiler looks at all of it. */
function byFolder(text: string, documents: readonly ToolDocument[]): Map<string, string> {
  const failures = new Map<string, string>();
  for (const { name } of documents) {
    const lines = text.split('\n').filter((line) => line.startsWith(`${folderOf(name)}/`));
    if (lines.length > 0) failures.set(name, lines.join('\n'));
  }
  return failures;
}

/** No compiler minds it. */
function folderOf(name: string): string {
  return name.replaceAll('.', '_');
}

/** Type-checks what lies in the folders of documents. */
async function compileTypeScript(documents: readonly ToolDocument[], home: string): Promise<Map<string, string>> {
  const compilerOptions = {
    ...{ target: 'es2022', module: 'es2022', moduleResolution: 'bundler', lib: ['es2022', 'dom', 'dom.iterable'] },
    ...{ noEmit: true, strict: true, skipLibCheck: true, types: [] },
  };
  writeFileSync(join(home, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*/**/*.ts'] }));
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const { failed, text } = await run(process.execPath, [tsc, '-p', '.', '--pretty', 'false'], home);
  const failures = byFolder(text, documents);
  if (failed && failures.size === 0) throw new Error(`tsc fails:\n${text.slice(0, 3000)}`);
  return failures;
}

/** What failed first, and of the rest what fails now. */
function both(first: ReadonlyMap<string, string>, second: ReadonlyMap<string, string>): Map<string, string> {
  return new Map([...second, ...first]);
}

const redocly: Tool = {
  name: 'redocly',
  install: (home) => installNpm(home, '@redocly/cli@2.77.0'),
  check: (documents, home) =>
    forEach(documents, (document) =>
      run(join(home, 'node_modules/.bin/redocly'), ['lint', '--max-problems', '20', document.file('dotted')], home),
    ),
};

const specValidator: Tool = {
  name: 'openapi-spec-validator',
  install: (home) => installPython(home, 'openapi-spec-validator==0.9.0'),
  check: (documents, home) =>
    forEach(documents, (document) => run(join(home, 'bin/openapi-spec-validator'), [document.file('dotted')], home)),
};

const openapiTypescript: Tool = {
  name: 'openapi-typescript',
  install: () => Promise.resolve(undefined),
  async check(documents, home) {
    const made = await forEach(documents, async (document) => {
      mkdirSync(join(home, folderOf(document.name)));
      try {
        const types = astToString(await openapiTS(new URL(`file://${document.file('dotted')}`)));
        writeFileSync(join(home, folderOf(document.name), 'api.ts'), types);
        return { failed: false, text: '' };
      } catch (error) {
        return { failed: true, text: String(error) };
      }
    });
    return both(made, await compileTypeScript(documents, home));
  },
};

/** A run of seconds does not earn back the second compiler, nor threads that collect. */
const briefly = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];

const openapiGenerator: Tool = {
  name: 'openapi-generator',
  async install(home) {
    if (!(await hasCommand('java', '-version')) || !(await hasCommand('mvn', '-v'))) return 'no java and mvn here';
    const artifact = '-Dartifact=org.openapitools:openapi-generator-cli:7.20.0';
    await must('mvn', ['-q', '-B', 'dependency:copy', artifact, '-DoutputDirectory=.'], home);
    return undefined;
  },
  async check(documents, home) {
    const jar = readdirSync(home).find((name) => name.endsWith('.jar'))!;
    const made = await forEach(documents, (document) => {
      const output = ['-o', folderOf(document.name)];
      return run(
        'java',
        [...briefly, '-jar', jar, 'generate', '-g', 'typescript-fetch', '-i', document.file('dotted'), ...output],
        home,
      );
    });
    return both(made, await compileTypeScript(documents, home));
  },
};

const orval: Tool = {
  name: 'orval',
  install: (home) => installNpm(home, 'orval@7.13.2'),
  async check(documents, home) {
    const made = await forEach(documents, (document) => {
      const target = `./${folderOf(document.name)}/api.ts`;
      const api = { input: { target: document.file('dotted') }, output: { target, client: 'fetch', mode: 'single' } };
      writeFileSync(join(home, `${document.name}.config.cjs`), `module.exports = ${JSON.stringify({ api })};`);
      return run(join(home, 'node_modules/.bin/orval'), ['--config', `./${document.name}.config.cjs`], home);
    });
    return both(made, await compileTypeScript(documents, home));
  },
};

/** The generator and what its code needs, in the module `photongate.invalid/api`. */
export async function installOapiCodegen(home: string): Promise<string | undefined> {
  const go = await goCommand();
  if (go === undefined) return 'no go here';
  writeFileSync(join(home, 'go.mod'), 'module photongate.invalid/api\n\ngo 1.23\n');
  const modules = ['github.com/oapi-codegen/oapi-codegen/v2@v2.8.2', 'github.com/oapi-codegen/runtime@v1.9.0'];
  await must(go, ['get', ...modules], home, goEnvironment);
  await must(
    go,
    ['build', '-o', 'oapi-codegen', 'github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen'],
    home,
    goEnvironment,
  );
  return undefined;
}

const oapiCodegen: Tool = {
  name: 'oapi-codegen',
  install: installOapiCodegen,
  async check(documents, home) {
    const made = await forEach(documents, (document) => {
      const name = folderOf(document.name);
      mkdirSync(join(home, name));
      const output = ['-generate', 'types,client', '-package', 'api', '-o', `${name}/api.go`];
      return run(join(home, 'oapi-codegen'), [...output, document.file('dotted')], home);
    });
    const { failed, text } = await run((await goCommand())!, ['build', './...'], home, goEnvironment);
    const compiled = byFolder(text, documents);
    if (failed && compiled.size === 0 && made.size === 0) throw new Error(`go build fails:\n${text.slice(0, 3000)}`);
    return both(made, compiled);
  },
};

export const goEnvironment = { GOFLAGS: '-mod=mod -modcacherw' };

export async function goCommand(): Promise<string | undefined> {
  if (await hasCommand('go', 'version')) return 'go';
  return existsSync('/usr/local/go/bin/go') ? '/usr/local/go/bin/go' : undefined;
}

/** A dot in the name of a schema is a module to it, and modules that import each other are more than it can do. */
const datamodelCodeGenerator: Tool = {
  name: 'datamodel-code-generator',
  install: (home) => installPython(home, 'datamodel-code-generator==0.89.0'),
  check: (documents, home) =>
    forEach(documents, async (document) => {
      const module = folderOf(document.name);
      const input = ['--input', document.file('underscored'), '--input-file-type', 'openapi'];
      const output = ['--output', `${module}.py`, '--output-model-type', 'pydantic_v2.BaseModel'];
      const made = await run(join(home, 'bin/datamodel-codegen'), [...input, ...output], home);
      return made.failed ? made : run(join(home, 'bin/python'), ['-c', `import ${module}`], home);
    }),
};

/** In the order of how long they take, as they run side by side. */
export const tools: readonly Tool[] = [
  openapiGenerator,
  oapiCodegen,
  orval,
  datamodelCodeGenerator,
  redocly,
  openapiTypescript,
  specValidator,
];
