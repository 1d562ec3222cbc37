/**
 * Service configs: YAML or JSON files of the type google.api.Service, from which `http.rules` and `visibility.rules` are read.
 * Each rule is checked once, independent of what it selects; `rule-files` and `visibility` match these. Other parts
 * (documentation, backends, quotas …) are ignored, so that files for other gateways can be used.
 */
import { labelsIn } from '../schema/index.js';
import type { OptionMessage } from '../schema/types.js';
import { nearestName, type ProblemList } from '../status.js';
import { quote } from '../uri.js';
import { readHttpRules, ruleMembers, type HttpRule } from './http-rule.js';
import { OptionReader, RpcProblems, type Located } from './option-reader.js';
import { isSelector } from './selector.js';
import type { VisibilityRule } from './visibility.js';
import { YamlDocument, type YamlMember, type YamlShapes } from './yaml-option.js';

/** A rule and its RPCs. */
export interface ServiceConfigRule {
  /** Full names of RPCs, `pkg.*` or `*`; several if the file has a comma-separated list. */
  readonly selectors: readonly Located<string>[];
  /** The rule and its additional bindings; empty if the rule removes the routes of its RPCs, or if it is invalid. */
  readonly rules: readonly HttpRule[];
}

/** What is read of a service config. */
export interface ServiceConfig {
  readonly http: readonly ServiceConfigRule[];
  readonly visibility: readonly VisibilityRule[];
}

/** The config of a file that cannot be read. */
export const emptyConfig: ServiceConfig = { http: [], visibility: [] };

const visibilityMembers = ['selector', 'restriction'];

const httpMembers = ['rules', 'fully_decode_reserved_expansion'];

const shapes: YamlShapes = new Map<string, 'list' | 'one'>([
  ...[...httpMembers, ...ruleMembers, ...visibilityMembers, 'kind', 'path'].map((name) => [name, 'one'] as const),
  ['rules', 'list'],
  ['additional_bindings', 'list'],
]);

/** The members of google.api.Service, and `type`, which names that type. */
const serviceMembers: readonly string[] = (
  'type config_version name title id producer_project_id apis types enums documentation backend http quota ' +
  'authentication context usage endpoints control logs metrics monitored_resources billing logging monitoring ' +
  'system_parameters source_info publishing aspects custom_error visibility'
).split(' ');

/**
 * The rules of one file, in order. Problems are reported.
 * @param file the name in messages.
 */
export function parseServiceConfig(file: string, text: string, problems: ProblemList): ServiceConfig {
  const document = new YamlDocument(file, text, shapes, problems);
  const members = document.members();
  if (members === undefined) return emptyConfig;
  checkType(members, problems);
  checkNames(members, problems);
  const [http, visibility] = ['http', 'visibility'].map((wanted) => members.find(({ name }) => name === wanted));
  if (http === undefined && visibility === undefined) {
    problems.error({
      code: 'service-config',
      message: 'the file has no "http" and therefore no rules',
      place: { file },
      hint: 'write for example http: { rules: [ { selector: pkg.Service.Method, get: /v1/… } ] }',
    });
    return emptyConfig;
  }
  const rules = http && document.message(http);
  const restrictions = visibility && document.message(visibility);
  return {
    http: rules === undefined ? [] : rulesOf(rules, problems),
    visibility: restrictions === undefined ? [] : restrictionsOf(restrictions, problems),
  };
}

function checkType(members: readonly YamlMember[], problems: ProblemList): void {
  const type = members.find(({ name }) => name === 'type');
  const text = type?.value.kind === 'scalar' ? String(type.value.value ?? '') : '';
  if (type === undefined || text === 'google.api.Service') return;
  problems.error({
    code: 'service-config',
    message: `the type of the file is ${quote(text)}, expected google.api.Service`,
    place: type.place,
    hint: 'write type: google.api.Service, or leave it out; a configuration of photongate is given with --config',
  });
}

/** Only a warning, because only `http` is used, and newer members may exist. */
function checkNames(members: readonly YamlMember[], problems: ProblemList): void {
  for (const { name, place } of members) {
    if (serviceMembers.includes(name)) continue;
    const near = nearestName(name, serviceMembers);
    problems.warn({
      code: 'service-config',
      message: `${quote(name)} is not a known member of google.api.Service and is ignored`,
      place,
      ...(near !== undefined && { hint: `did you mean ${near}?` }),
    });
  }
}

function rulesOf(http: OptionMessage, problems: ProblemList): ServiceConfigRule[] {
  const reader = new OptionReader(http, 'google.api.Http', httpMembers, new RpcProblems(undefined, problems));
  return reader.messages('rules').map((option) => {
    const selectors = selectorsOf(option, problems);
    const text = option.fields.find(({ name }) => name === 'selector')?.value;
    const rpc = typeof text === 'string' && text !== '' ? text : undefined;
    const rules = isSelectorAlone(option) ? [] : readHttpRules(option, new RpcProblems(rpc, problems));
    return { selectors, rules };
  });
}

function restrictionsOf(visibility: OptionMessage, problems: ProblemList): VisibilityRule[] {
  const reporter = new RpcProblems(undefined, problems);
  const reader = new OptionReader(visibility, 'google.api.Visibility', ['rules'], reporter);
  return reader.messages('rules').flatMap((option) => {
    const rule = new OptionReader(option, 'google.api.VisibilityRule', visibilityMembers, reporter);
    const labels = labelsIn(rule.text('restriction')?.value ?? '');
    return selectorsOf(option, problems).map((selector) => ({ selector, labels }));
  });
}

/** A rule with only a selector removes the routes of its RPCs. A pattern without a value is a mistake instead. */
function isSelectorAlone({ fields, hasEmpty }: OptionMessage): boolean {
  return hasEmpty !== true && fields.every(({ name }) => name === 'selector');
}

/** Empty if the selectors are invalid. Whoever reads the rule reports a selector of another type. */
function selectorsOf(option: OptionMessage, problems: ProblemList): Located<string>[] {
  const member = option.fields.find(({ name }) => name === 'selector');
  if (member === undefined || member.value === '') {
    problems.error({
      code: 'selector-syntax',
      message: 'a rule has no selector, expected the full name of an RPC',
      place: member?.place ?? option.place,
      hint: 'write selector: pkg.Service.Method, or pkg.* for all that is in a package or service',
    });
    return [];
  }
  if (typeof member.value !== 'string') return [];
  const selectors = member.value.split(',').map((text) => ({ value: text.trim(), place: member.place }));
  return selectors.filter(({ value, place }) => {
    if (isSelector(value)) return true;
    problems.error({
      code: 'selector-syntax',
      message: `${quote(value)} is not a selector of RPCs`,
      place,
      hint: 'write a full name (pkg.Service.Method), all in a package or service (pkg.*), or *',
    });
    return false;
  });
}
