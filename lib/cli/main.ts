/**
 * The command line: parses arguments, dispatches to a command, turns what went wrong into words and an exit code
 * (`ExitCode`).
 */
import type { Argv, Options as YargsOptions } from 'yargs';
import { type Config, loadConfig, mergeOptions, printConfig, type Settings } from '../config/index.js';
import { inheritedSockets } from '../server/index.js';
import { ConfigError, nearestName, type Problem } from '../status.js';
import { packageVersion } from '../installation.js';
import { isWorker } from '../workers/index.js';
import { call } from './call.js';
import { check } from './check.js';
import { completionScript, type Shell, shells } from './completion.js';
import { envoyInput, readAsOurs } from './envoy-flags.js';
import { ExitCode } from './exit-code.js';
import { foreignFlags } from './foreign-flags.js';
import {
  environmentName,
  environmentValues,
  flagNames,
  type FlagValues,
  isSwitch,
  misspeltVariables,
  settingsOf,
  yargsOptions,
} from './flags.js';
import { parserConfiguration, plainArguments } from './plain-arguments.js';
import { renderProblem } from './render.js';
import { mcp } from './mcp.js';
import { writeDocument } from './write-document.js';
import { type ReportFormat, reportFormats } from './report.js';
import { routes } from './routes.js';
import { serve } from './serve.js';
import { newService } from './new.js';
import { suggest } from './suggest.js';
import type { Terminal } from './terminal.js';
import { processTerminal } from './terminal.js';

/** Wrong usage, printed with a pointer to `--help`; exit code 2. */
class UsageError extends Error {}

/** Runs a command, for `serve` until shutdown. Returns the exit code. */
export async function main(args: readonly string[], terminal: Terminal = processTerminal()): Promise<number> {
  try {
    const parsed = await parseArguments(args, terminal);
    if (parsed === undefined) return ExitCode.OK;
    return await run(parsed.command, parsed.values, terminal);
  } catch (error) {
    if (error instanceof UsageError) {
      terminal.error(`photongate: ${error.message}\n`);
      terminal.error('Run "photongate --help" for all flags.\n');
      return ExitCode.USAGE;
    }
    if (error instanceof ConfigError) {
      printProblems(error.problems, terminal);
      return error.problems.some(({ code }) => code === 'no-schema') ? ExitCode.USAGE : ExitCode.FAILURE;
    }
    throw error;
  }
}

async function run(command: string, values: FlagValues, terminal: Terminal): Promise<number> {
  if (command === 'completion') {
    terminal.output(completionScript(values['shell'] as Shell, commands));
    return ExitCode.OK;
  }
  const config = (): Config => configOf(values, terminal);
  switch (command) {
    case 'routes':
      return routes(config(), values['json'] === true ? 'json' : values['curl'] === true ? 'curl' : 'table', terminal);
    case 'openapi':
    case 'asyncapi':
      return writeDocument(
        config(),
        {
          kind: command,
          output: values['output'] as string | undefined,
          format: values['format'] as 'json' | 'yaml' | undefined,
          server: values['server'] as string | undefined,
          listener: values['listener'] as string | undefined,
        },
        terminal,
      );
    case 'check':
      return await check(
        config,
        {
          format: (values['format'] ?? (values['json'] === true ? 'json' : 'text')) as ReportFormat,
          upstreams: values['live'] === true,
          strict: values['strict'] === true,
        },
        terminal,
      );
    case 'call':
      return await call(
        config(),
        {
          method: values['method'] as string,
          target: values['target'] as string,
          data: values['data'] as string | undefined,
          headers: [values['header'] ?? []].flat() as string[],
          send: values['send'] === true,
          json: values['json'] === true,
          listener: values['listener'] as string | undefined,
        },
        terminal,
      );
    case 'mcp':
      return await mcp(
        config(),
        {
          headers: [values['header'] ?? []].flat() as string[],
          listener: values['listener'] as string | undefined,
        },
        terminal,
      );
    case 'new':
      return newService(values['name'] as string, terminal);
    case 'suggest':
      return await suggest(config(), values['output'] as string | undefined, terminal);
    case 'print-config':
      terminal.output(printConfig(config()));
      return ExitCode.OK;
    default:
      return values['mode'] === 'validate'
        ? await check(config, { format: 'text', upstreams: false, strict: false }, terminal)
        : await serve(config, terminal);
  }
}

/** Flags win over the environment, the environment over the file. */
function configOf(values: FlagValues, terminal: Terminal): Config {
  const { environment, workingDirectory } = terminal;
  const fromEnvironment = environmentValues(environment);
  const file = values['config'] ?? (values['envoy'] === undefined ? fromEnvironment['config'] : undefined);
  if (Array.isArray(file)) throw new UsageError(`--config: given ${file.length} times, expected once`);
  const byEnvironment = usageSettings(() =>
    settingsOf(fromEnvironment, { title: environmentName, folder: workingDirectory }),
  );
  const byFlags = usageSettings(() => settingsOf(readAsOurs(values), { folder: workingDirectory }));
  const flags = { ...byEnvironment, ...byFlags, options: mergeOptions([byEnvironment.options, byFlags.options]) };
  // Workers listen on the sockets of the primary.
  const inherited = inheritedSockets(environment, isWorker() ? process.ppid : process.pid);
  const envoy = envoyInput({ ...fromEnvironment, ...values, config: file }, values, terminal);
  const config = loadConfig({ flags, file: file as string | undefined, envoy, workingDirectory, inherited });
  return { ...config, warnings: [...(config.warnings ?? []), ...misspeltVariables(environment)] };
}

/** Bad values of flags are wrong usage. */
function usageSettings(read: () => Settings): Settings {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const texts = error.problems.map(({ message, hint }) => (hint === undefined ? message : `${message}; ${hint}`));
    throw new UsageError(texts.join('\nphotongate: '), { cause: error });
  }
}

function printProblems(problems: readonly Problem[], terminal: Terminal): void {
  for (const problem of problems) terminal.error(renderProblem(problem, 'error', terminal));
  if (problems.length > 1) terminal.error(`${problems.length} problems, not started\n`);
}

interface ParsedArguments {
  readonly command: string;
  readonly values: FlagValues;
}

const commands = [
  ...['serve', 'routes', 'openapi', 'asyncapi', 'check', 'call', 'mcp', 'suggest', 'new', 'print-config'],
  'completion',
];

/** The flags of `openapi` and `asyncapi`. */
function documentOptions(command: Argv): Argv {
  return command
    .option('output', { alias: 'o', type: 'string', requiresArg: true, describe: 'write it to this file' })
    .option('format', { choices: ['yaml', 'json'], requiresArg: true, describe: 'default: by the file, else yaml' })
    .option('server', { type: 'string', requiresArg: true, describe: 'base URL of the routes' })
    .option('listener', { type: 'string', requiresArg: true, describe: 'which of several listeners' });
}

/** Undefined if `--help` or `--version` was printed. */
async function parseArguments(args: readonly string[], terminal: Terminal): Promise<ParsedArguments | undefined> {
  const plain = plainArguments(args, yargsOptions());
  if (plain !== undefined) return { command: 'serve', values: plain };
  checkSwitches(args);
  checkNegations(args);
  let printed = '';
  const { default: yargs } = await import('yargs');
  const parser = yargs()
    .scriptName('photongate')
    .parserConfiguration(parserConfiguration)
    .usage('$0 [serve] --proto FILE --upstream HOST:PORT\n\nREST and JSON in front of gRPC servers.')
    .command(['serve', '$0'], 'serve the routes (the default)')
    .command('routes', 'list the routes', (command) =>
      command
        .option('json', { type: 'boolean', describe: 'print a JSON array' })
        .option('curl', { type: 'boolean', describe: 'print a curl line for each route', conflicts: 'json' }),
    )
    .command('openapi', 'print the OpenAPI document of the routes', documentOptions)
    .command('asyncapi', 'print the AsyncAPI document of the streams', documentOptions)
    .command(
      'check',
      'load everything and print all problems and warnings; exit code 1 if there is a problem',
      (command) =>
        command
          .option('format', { choices: reportFormats, requiresArg: true, describe: 'default: text' })
          .option('json', { type: 'boolean', describe: '--format json', conflicts: 'format' })
          .option('strict', { type: 'boolean', describe: 'exit code 1 also if there is a warning' })
          .option('live', {
            type: 'boolean',
            describe:
              'ask each upstream, too, whether it serves what the schema has, exit code 4 if not; also: --upstream without a value',
          }),
    )
    .command(
      'call <method> <target>',
      'show the gRPC call that a request leads to, such as: call GET /v1/books',
      (command) =>
        command
          .positional('method', { type: 'string', demandOption: true, describe: 'HTTP method' })
          .positional('target', { type: 'string', demandOption: true, describe: 'path and query' })
          .option('data', {
            alias: 'd',
            type: 'string',
            requiresArg: true,
            describe: 'body, or @FILE; JSON unless -H says otherwise',
          })
          .option('header', {
            alias: 'H',
            type: 'string',
            requiresArg: true,
            describe: 'header, "name: value"; repeatable',
          })
          .option('send', { type: 'boolean', describe: 'call the service, and show its answer' })
          .option('json', { type: 'boolean', describe: 'print one JSON document' })
          .option('listener', { type: 'string', requiresArg: true, describe: 'which of several listeners' }),
    )
    .command('mcp', 'speak the Model Context Protocol over standard input and output: RPCs as tools', (command) =>
      command
        .option('header', {
          alias: 'H',
          type: 'string',
          requiresArg: true,
          describe: 'header of every call, "name: value"; repeatable',
        })
        .option('listener', { type: 'string', requiresArg: true, describe: 'which of several listeners' }),
    )
    .command(
      'suggest [files..]',
      'propose google.api.http rules for RPCs that have none, as a file for --rules',
      (command) =>
        command
          .positional('files', { type: 'string', describe: '.proto files, folders or globs, as --proto' })
          .option('output', { alias: 'o', type: 'string', requiresArg: true, describe: 'write it to this file' }),
    )
    .command(
      'new <name>',
      'make a folder with a gRPC service to start from: proto with rules, server, configuration',
      (command) =>
        command.positional('name', { type: 'string', demandOption: true, describe: 'of the folder, such as bookshop' }),
    )
    .command('print-config', 'print the effective configuration, usable as a configuration file')
    .command('completion <shell>', 'print a completion script for bash, zsh or fish', (command) =>
      command.positional('shell', { choices: shells, demandOption: true }),
    )
    .options(args.some((arg) => arg.startsWith('--help')) ? yargsOptions() : hidden(yargsOptions()))
    .strict()
    .version(packageVersion())
    .help()
    .wrap(Math.min(terminal.columns, 110))
    .epilogue(
      'Every flag can be given by the environment: PHOTONGATE_MAX_BODY_BYTES is --max-body-bytes.\n' +
        'Exit codes: 0 fine, 1 the configuration or start-up failed, 2 wrong usage, 3 no worker could be kept running,\n' +
        '4 an upstream differs from the schema.',
    )
    .exitProcess(false);
  const values = (await parser.parseAsync(
    args.map((arg, index) => completeArgument(arg, args[index + 1], args)),
    {},
    (error, _argv, output) => {
      if (error !== undefined && error !== null) throw new UsageError(usageMessage(error.message, args));
      printed = withoutTypes(output);
    },
  )) as Record<string, FlagValues[string]> & { _: string[] };
  if (printed !== '') {
    terminal.output(`${printed}\n`);
    return undefined;
  }
  const command = values._[0] ?? 'serve';
  return { command, values: command === 'suggest' ? withFiles(values) : values };
}

/** yargs lays out the help of each command before it runs it, which takes longer than most commands do. */
function hidden(options: Record<string, YargsOptions>): Record<string, YargsOptions> {
  return Object.fromEntries(Object.entries(options).map(([name, option]) => [name, { ...option, hidden: true }]));
}

/** Flags whose value may be left out. */
function completeArgument(arg: string, next: string | undefined, args: readonly string[]): string {
  if (arg === '--reflection') return '--reflection=true';
  const isAlone = next === undefined || next.startsWith('-');
  return arg === '--upstream' && isAlone && args.includes('check') ? '--live' : arg;
}

/** The files of `suggest` are those that `--proto` names. */
function withFiles(values: FlagValues): FlagValues {
  const files = [values['files'] ?? [], values['proto'] ?? []].flat() as string[];
  return files.length === 0 ? values : { ...values, proto: files };
}

/** Removes the types that yargs prints for each flag. */
function withoutTypes(help: string): string {
  return help.replace(/^ *\[(?:string|boolean)\]\n/gm, '').replace(/ *\[(?:string|boolean)\]$/gm, '');
}

/** yargs would take any value of a switch for true. */
function checkSwitches(args: readonly string[]): void {
  for (const arg of args) {
    const match = /^--(?:no-)?([a-z-]+)=(.*)$/s.exec(arg);
    if (match !== null && isSwitch(match[1]!) && match[2] !== 'true' && match[2] !== 'false') {
      throw new UsageError(
        `--${match[1]!}: found ${JSON.stringify(match[2])}, expected nothing, or true or false (--no-${match[1]!} is false)`,
      );
    }
  }
}

/** yargs would take `--no-proto` for the file "false". */
function checkNegations(args: readonly string[]): void {
  for (const arg of args) {
    const name = /^--no-([^=]+)/.exec(arg)?.[1];
    if (name === undefined || name === 'reflection' || yargsOptions()[name]?.requiresArg !== true) continue;
    throw new UsageError(`--no-${name}: --${name} cannot be switched off; leave it out`);
  }
}

/** What yargs says of a flag, in the words that are used of all others. */
function inOurWords(message: string): string {
  const line = message.replace(/\s+/g, ' ');
  const [, name, given, choices] = /^Invalid values: Argument: (\S+), Given: (.*), Choices: (.*)$/.exec(line) ?? [];
  if (name !== undefined) {
    const shown = name === 'shell' ? 'the shell' : `--${name}`;
    return `${shown}: found ${given}, expected one of ${choices!.replaceAll('"', '')}`;
  }
  return line.replace(
    /^Arguments (\S+) and (\S+) are mutually exclusive$/,
    '--$1 and --$2 exclude each other; write one',
  );
}

/** The message of yargs, with a suggestion for unknown arguments. */
function usageMessage(message: string, args: readonly string[]): string {
  const unknown = /^Unknown (?:argument|command)s?: (.*)$/.exec(message);
  if (unknown === null) return inOurWords(message);
  return unknown[1]!
    .split(', ')
    .map((name) => unknownArgument(name, typedFlag(name, args)))
    .join('; ');
}

/** @param flag as typed; undefined if the argument is not a flag */
function unknownArgument(name: string, flag: string | undefined): string {
  if (flag === undefined) {
    const own = /\.proto$/.test(name) ? `--proto ${name}` : nearestName(name, commands);
    return `unknown argument ${JSON.stringify(name)}${suggestion(own)}`;
  }
  const foreign = foreignFlags.get(flag.replace(/^-+/, ''));
  if (foreign !== undefined) return `unknown flag ${flag}; here it is ${foreign}`;
  const prefix = flag.startsWith('--no-') ? '--no-' : '--';
  const near = nearestName(flag.slice(prefix.length), prefix === '--' ? flagNames() : flagNames().filter(isSwitch));
  const found = near === undefined ? undefined : `${prefix}${near}`;
  if (found === flag) return `${flag} is a flag of another command; "photongate COMMAND --help" lists those of each`;
  return `unknown flag ${flag}${suggestion(found)}`;
}

function suggestion(near: string | undefined): string {
  return near === undefined ? '' : `; did you mean ${near}?`;
}

/** The flag as typed: yargs reports `--x`, `--no-x`, `--x=1` and `-x` all as `x`. */
function typedFlag(name: string, args: readonly string[]): string | undefined {
  const forms = [`--${name}`, `--no-${name}`];
  const long = args.map((arg) => arg.split('=')[0]!).find((arg) => forms.includes(arg));
  const isShort = name.length === 1 && args.some((arg) => /^-[^-]/.test(arg) && arg.includes(name));
  return long ?? (isShort ? `-${name}` : undefined);
}
