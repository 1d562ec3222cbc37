/**
 * The command line: parses arguments, dispatches to a command, turns what went wrong into words and an exit code
 * (0 fine, 1 a configuration or start-up problem, 2 wrong usage).
 */
import yargs from 'yargs';
import { type Config, loadConfig, printConfig, type Settings } from '../config/index.js';
import { ConfigError, nearestName, type Problem } from '../status.js';
import { packageVersion } from '../version.js';
import { check } from './check.js';
import { completionScript, type Shell, shells } from './completion.js';
import { ExitCode } from './exit-code.js';
import {
  environmentName,
  environmentValues,
  flagNames,
  type FlagValues,
  isSwitch,
  settingsOf,
  yargsOptions,
} from './flags.js';
import { renderProblem } from './render.js';
import { openapi } from './openapi.js';
import { routes } from './routes.js';
import { serve } from './serve.js';
import type { Terminal } from './terminal.js';
import { processTerminal } from './terminal.js';

/** Wrong usage: said with a pointer to `--help`, exit code 2. */
class UsageError extends Error {}

/** Runs a command line to its end; for `serve` that is the shutdown. Returns the exit code. */
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
      return openapi(
        config(),
        {
          output: values['output'] as string | undefined,
          format: values['format'] as 'json' | 'yaml' | undefined,
          server: values['server'] as string | undefined,
          listener: values['listener'] as string | undefined,
        },
        terminal,
      );
    case 'check':
      return await check(config, terminal);
    case 'print-config':
      terminal.output(printConfig(config()));
      return ExitCode.OK;
    default:
      return serve(config, terminal);
  }
}

/** Flags win over the environment, the environment over the file. */
function configOf(values: FlagValues, { environment, workingDirectory }: Terminal): Config {
  const fromEnvironment = environmentValues(environment);
  const file = values['config'] ?? fromEnvironment['config'];
  if (Array.isArray(file)) throw new UsageError(`--config: given ${file.length} times, expected once`);
  const byEnvironment = usageSettings(() => settingsOf(fromEnvironment, environmentName));
  const byFlags = usageSettings(() => settingsOf(values));
  const flags = { ...byEnvironment, ...byFlags, options: { ...byEnvironment.options, ...byFlags.options } };
  return loadConfig({ flags, file: file as string | undefined, workingDirectory });
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

const commands = ['serve', 'routes', 'openapi', 'check', 'print-config', 'completion'];

/** Undefined where `--help` or `--version` was printed. */
async function parseArguments(args: readonly string[], terminal: Terminal): Promise<ParsedArguments | undefined> {
  checkSwitches(args);
  let printed = '';
  const parser = yargs()
    .scriptName('photongate')
    .parserConfiguration({
      'camel-case-expansion': false,
      'dot-notation': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'strip-aliased': true,
      'greedy-arrays': false,
    })
    .usage('$0 [serve] --proto FILE --upstream HOST:PORT\n\nREST and JSON in front of gRPC servers.')
    .command(['serve', '$0'], 'serve the routes (the default)')
    .command('routes', 'list the routes', (command) =>
      command
        .option('json', { type: 'boolean', describe: 'print a JSON array' })
        .option('curl', { type: 'boolean', describe: 'print a curl line for each route', conflicts: 'json' }),
    )
    .command('openapi', 'print the OpenAPI document of the routes', (command) =>
      command
        .option('output', { alias: 'o', type: 'string', requiresArg: true, describe: 'write it to this file' })
        .option('format', { choices: ['yaml', 'json'], requiresArg: true, describe: 'default: by the file, else yaml' })
        .option('server', { type: 'string', requiresArg: true, describe: 'base URL of the routes' })
        .option('listener', { type: 'string', requiresArg: true, describe: 'which of several listeners' }),
    )
    .command('check', 'load everything, print every problem and warning; exit code 1 where there is a problem')
    .command('print-config', 'print the effective configuration, as a file that can be used')
    .command('completion <shell>', 'print a completion script for bash, zsh or fish', (command) =>
      command.positional('shell', { choices: shells, demandOption: true }),
    )
    .options(yargsOptions())
    .strict()
    .version(packageVersion())
    .help()
    .wrap(Math.min(terminal.columns, 110))
    .epilogue(
      'Every flag can be given by the environment: PHOTONGATE_MAX_BODY_BYTES is --max-body-bytes.\n' +
        'Exit codes: 0 fine, 1 the configuration or start-up failed, 2 wrong usage.',
    )
    .exitProcess(false);
  const values = (await parser.parseAsync(
    args.map((arg) => (arg === '--reflection' ? '--reflection=true' : arg)),
    {},
    (error, _argv, output) => {
      if (error !== undefined && error !== null) throw new UsageError(usageMessage(error.message));
      printed = withoutTypes(output);
    },
  )) as Record<string, FlagValues[string]> & { _: string[] };
  if (printed !== '') {
    terminal.output(`${printed}\n`);
    return undefined;
  }
  return { command: values._[0] ?? 'serve', values };
}

/** yargs names the type of each flag, which says nothing to a reader. */
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

/** yargs' words, with a suggestion for what is unknown. */
function usageMessage(message: string): string {
  const unknown = /^Unknown (?:argument|command)s?: (.*)$/.exec(message);
  if (unknown === null) return message.replace(/\s+/g, ' ');
  return unknown[1]!
    .split(', ')
    .map((name) => {
      const flag = nearestName(name, flagNames());
      if (flag !== undefined) return `unknown flag --${name}; did you mean --${flag}?`;
      const command = nearestName(name, commands);
      return `unknown argument ${JSON.stringify(name)}${command === undefined ? '' : `; did you mean ${command}?`}`;
    })
    .join('; ');
}
