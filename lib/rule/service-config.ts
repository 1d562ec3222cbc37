/**
 * Service configs: files in YAML or JSON of the type google.api.Service, of which `http.rules` is read. Each rule is
 * checked here by itself, once, whatever RPCs it selects; which those are is `rule-files`' part. Of the rest of a
 * service config (documentation, backends, quotas …) nothing is read, so that files made for other gateways will do.
 */
import type { OptionMessage } from '../schema/types.js';
import { nearestName, type ProblemList } from '../status.js';
import { quote } from '../uri.js';
import { readHttpRules, ruleMembers, type HttpRule } from './http-rule.js';
import { OptionReader, RpcProblems, type Located } from './option-reader.js';
import { isSelector } from './selector.js';
import { YamlDocument, type YamlMember, type YamlShapes } from './yaml-option.js';

/** A rule and the RPCs that it is for. */
export interface ServiceConfigRule {
  /** Full names of RPCs, `pkg.*` or `*`; several where the file has a list with commas. */
  readonly selectors: readonly Located<string>[];
  /** The rule and its additional bindings; none where they are broken. */
  readonly rules: readonly HttpRule[];
}

const httpMembers = ['rules', 'fully_decode_reserved_expansion'];

const shapes: YamlShapes = new Map<string, 'list' | 'one'>([
  ...[...httpMembers, ...ruleMembers, 'kind', 'path'].map((name) => [name, 'one'] as const),
  ['rules', 'list'],
  ['additional_bindings', 'list'],
]);

/** The members of google.api.Service, and `type`, which says that it is one. */
const serviceMembers: readonly string[] = (
  'type config_version name title id producer_project_id apis types enums documentation backend http quota ' +
  'authentication context usage endpoints control logs metrics monitored_resources billing logging monitoring ' +
  'system_parameters source_info publishing aspects custom_error visibility'
).split(' ');

/**
 * The rules of one file, in its order. What is wrong is reported.
 * @param file as messages name it.
 */
export function parseServiceConfig(file: string, text: string, problems: ProblemList): ServiceConfigRule[] {
  const document = new YamlDocument(file, text, shapes, problems);
  const members = document.members();
  if (members === undefined) return [];
  checkType(members, problems);
  checkNames(members, problems);
  const http = members.find(({ name }) => name === 'http');
  if (http === undefined) {
    problems.error({
      code: 'service-config',
      message: 'the file has no "http", so it holds no rule',
      place: { file },
      hint: 'write for example http: { rules: [ { selector: pkg.Service.Method, get: /v1/… } ] }',
    });
    return [];
  }
  const option = document.message(http);
  return option === undefined ? [] : rulesOf(option, problems);
}

function checkType(members: readonly YamlMember[], problems: ProblemList): void {
  const type = members.find(({ name }) => name === 'type');
  const text = type?.node?.toString();
  if (type === undefined || text === 'google.api.Service' || text === '"google.api.Service"') return;
  problems.error({
    code: 'service-config',
    message: `the type of the file is ${quote(text ?? '')}, expected google.api.Service`,
    place: type.place,
    hint: 'write type: google.api.Service, or leave it out; a configuration of photongate is given with --config',
  });
}

/** Nothing but `http` matters, and there may be newer members than we know: a warning is enough. */
function checkNames(members: readonly YamlMember[], problems: ProblemList): void {
  for (const { name, place } of members) {
    if (serviceMembers.includes(name)) continue;
    const near = nearestName(name, serviceMembers);
    problems.warn({
      code: 'service-config',
      message: `${quote(name)} is no member of google.api.Service that is known, and is ignored`,
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
    return { selectors, rules: readHttpRules(option, new RpcProblems(rpc, problems)) };
  });
}

/** None where they are broken. A selector of another type is reported by who reads the rule. */
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
