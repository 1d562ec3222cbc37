/**
 * `photongate suggest`: proposes rules for RPCs that have none, as a rules file. What it prints is loaded first, with the
 * rules that are there: a rule that clashes gives way to the path of its RPC.
 */
import { resolve } from 'node:path';
import type { Config, MountConfig } from '../config/index.js';
import { loadReflected } from '../live/index.js';
import { allParts, prepareProxy } from '../proxy/index.js';
import { plainRule, type ProposedRule, proposeRules } from '../rule/index.js';
import { diskFiles, type FileReader } from '../schema/index.js';
import { ConfigError } from '../status.js';
import { ExitCode } from './exit-code.js';
import { writeOutput } from './output-file.js';
import type { Terminal } from './terminal.js';

/** Where the proposal stands while it is tried: a name that no file has. */
const TRIAL_FILE = resolve('/', 'photongate suggest', 'rules.yaml');

/** @throws ConfigError if the configuration is bad, or the file cannot be written. */
export async function suggest(config: Config, output: string | undefined, terminal: Terminal): Promise<number> {
  const text = rulesFile(await suggestRules(config));
  writeOutput(text, output, 'the rules', terminal);
  return ExitCode.OK;
}

/** Rules that load beside those that there are. */
export async function suggestRules(given: Config): Promise<ProposedRule[]> {
  const reflected = await loadReflected(given);
  const config = withoutMapping(given);
  const options = { offline: true, reflected };
  const { schema, listeners } = prepareProxy(config, options);
  const parts = listeners.flatMap(allParts);
  const served = new Set(parts.flatMap(({ services }) => services.map(({ name }) => name)));
  const mapped = new Set(parts.flatMap(({ bindings }) => bindings.map(({ method }) => method.fullName)));
  const services = schema.services.filter(({ fullName }) => served.has(fullName));
  const methods = new Map(services.flatMap((service) => service.methods.map((method) => [method.fullName, method])));
  let rules = services.flatMap((service) => proposeRules(service, ({ fullName }) => !mapped.has(fullName)));
  for (;;) {
    const refused = refusedRules(config, rules, options);
    if (refused.size === 0) return rules;
    // One that is refused for its own path as well has none.
    rules = rules.flatMap((rule) => {
      if (!refused.has(rule.selector)) return [rule];
      return rule.isGuess ? [plainRule(methods.get(rule.selector)!)] : [];
    });
  }
}

/** The RPCs whose proposed rule does not load. */
function refusedRules(
  config: Config,
  rules: readonly ProposedRule[],
  options: { readonly offline: boolean; readonly reflected: Awaited<ReturnType<typeof loadReflected>> },
): ReadonlySet<string> {
  const text = Buffer.from(rulesFile(rules));
  const files: FileReader = {
    read: (path) => (path === TRIAL_FILE ? text : diskFiles.read(path)),
    list: (path) => diskFiles.list(path),
  };
  try {
    prepareProxy(withRules(config), { ...options, files });
    return new Set();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    // Of two rules for the same requests the second is reported, and the message names the first.
    const isBlamed = ({ selector }: ProposedRule): boolean =>
      error.problems.some(({ rpc, message }) => rpc === selector || message.includes(` of ${selector} (`));
    const refused = rules.filter(isBlamed).map(({ selector }) => selector);
    if (refused.length === 0) throw error;
    return new Set(refused);
  }
}

/** RPCs without a rule are to be seen. */
function withoutMapping(config: Config): Config {
  return mapMounts(config, (mount) => ({ ...mount, options: { ...mount.options, autoMapping: false } }));
}

/** Behind the others: the rules that are there are for other RPCs. */
function withRules(config: Config): Config {
  return mapMounts(config, (mount) => ({ ...mount, rules: [...mount.rules, TRIAL_FILE] }));
}

function mapMounts(config: Config, change: (mount: MountConfig) => MountConfig): Config {
  const listeners = config.listeners.map((listener) => ({
    ...listener,
    root: change(listener.root),
    mounts: listener.mounts.map(change),
    routes: listener.routes && {
      ...listener.routes,
      transcoders: listener.routes.transcoders.map(({ name, mount }) => ({ name, mount: change(mount) })),
    },
  }));
  return { ...config, listeners };
}

/** A service config in YAML. A JSON text is one of YAML, too. */
export function rulesFile(rules: readonly ProposedRule[]): string {
  const lines = [
    '# Proposed by "photongate suggest". Clients rely on paths, so look at each of them first.',
    'type: google.api.Service',
    'http:',
  ];
  if (rules.length === 0) lines.push('  rules: [] # every RPC has a rule');
  else lines.push('  rules:');
  for (const { selector, verb, path, body, isGuess } of rules) {
    if (!isGuess) lines.push('    # Not a standard method; this path is a placeholder.');
    lines.push(`    - selector: ${selector}`, `      ${verb}: ${JSON.stringify(path)}`);
    if (body !== undefined) lines.push(`      body: ${JSON.stringify(body)}`);
  }
  return `${lines.join('\n')}\n`;
}
