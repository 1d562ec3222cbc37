/**
 * gRPC service configs, as clients of other languages have them: inline in a configuration, or in a JSON file
 * (https://github.com/grpc/grpc/blob/master/doc/service_config.md, gRFCs A2, A6, A17). Names are those of its JSON form.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  booleanValue,
  checkedText,
  enumValue,
  field,
  type InputNode,
  integerValue,
  type Kind,
  type KindValue,
  leaf,
  listOf,
  OptionError,
  parseYaml,
  type Plain,
  plain,
  Reader,
  record,
  requiredField,
  shown,
  timeValue,
} from '../../options/index.js';
import { Code, codeByName, codeName, messageOf } from '../../status.js';
import type { RetrySettings } from '../../retry/index.js';
import type { BalancingPolicy } from '../balance/picker.js';

/** What holds for the RPCs of some names. */
export interface MethodSettings {
  /** `package.Service.Method`, `package.Service.*`, or `*` for all. */
  readonly names: readonly string[];
  readonly timeoutMs?: number | undefined;
  readonly maxRequestBytes?: number | undefined;
  readonly maxResponseBytes?: number | undefined;
  readonly retries?: RetrySettings | undefined;
}

/** A service config as photongate understands it. Plain data, which can be compared. */
export interface ServiceConfig {
  readonly methods: readonly MethodSettings[];
  /** The first policy of its list that is known; undefined: it says nothing. */
  readonly policy?: BalancingPolicy | undefined;
  /** The service whose health is asked for; '' for the server as a whole. */
  readonly healthService?: string | undefined;
  /** As it was given. */
  readonly raw: Plain;
}

/** A setting that would be without effect. */
function refused(what: string): Kind<never, never> {
  return {
    unit: '',
    jsonSchema: {},
    readNode: () => {
      throw new OptionError(what);
    },
    print: () => null,
  };
}

const text = (description: string, pattern: RegExp): ReturnType<typeof checkedText> =>
  checkedText({ placeholder: 'TEXT', description, convert: (value) => (pattern.test(value) ? value : undefined) });

function positive(max: number): Kind<number> {
  return leaf<number>({
    description: `a number above 0, up to ${max}`,
    jsonSchema: { type: 'number', minimum: 0, maximum: max },
    unit: '',
    print: (value) => value,
    convert: (raw) => (typeof raw === 'number' && raw > 0 && raw <= max ? raw : undefined),
  });
}

const numbersOfCodes = Object.values(Code).filter((code) => code !== Code.OK);

const code = leaf<number, string | number>({
  description: 'a gRPC code such as UNAVAILABLE or 14',
  jsonSchema: { anyOf: [{ enum: [...numbersOfCodes.map(codeName), ...numbersOfCodes] }, { type: 'string' }] },
  unit: '',
  print: codeName,
  convert(raw) {
    const found = typeof raw === 'string' ? codeByName(raw.toUpperCase()) : raw;
    return numbersOfCodes.find((known) => known === found);
  },
});

/** gRPC takes larger numbers for this one (gRFC A6). */
const MAX_ATTEMPTS = 5;

const retryRecord = record({
  fields: {
    maxAttempts: requiredField(integerValue(2, 2 ** 31 - 1), '', needs('maxAttempts')),
    initialBackoff: requiredField(timeValue, '', needs('initialBackoff')),
    maxBackoff: requiredField(timeValue, '', needs('maxBackoff')),
    backoffMultiplier: requiredField(positive(1000), '', needs('backoffMultiplier')),
    retryableStatusCodes: requiredField(listOf(code, 'a list of gRPC codes'), '', needs('retryableStatusCodes')),
    perAttemptRecvTimeout: field(timeValue, 'time of one attempt to begin its answer'),
  },
  about: 'a retryPolicy',
  expected: 'a retryPolicy is a map',
  check(_value, { members }) {
    const codes = members.find(({ name }) => name === 'retryableStatusCodes')?.value;
    if (codes?.kind !== 'list' || codes.items.length > 0) return;
    throw new OptionError('retryableStatusCodes are empty, and nothing would be sent again');
  },
});

function needs(member: string): string {
  return `a retryPolicy has ${member} (with maxAttempts, initialBackoff, maxBackoff, backoffMultiplier, retryableStatusCodes)`;
}

const nameRecord = record({
  fields: {
    service: field(text('the full name of a service, such as shop.v1.Shelves', /^(?:\w+(?:\.\w+)*)?$/), ''),
    method: field(text('the name of a method of that service', /^\w*$/), ''),
  },
  about: 'a name',
  expected: 'a name is a map such as { service: shop.v1.Shelves, method: GetShelf }, or {} for all RPCs',
  check({ service = '', method = '' }) {
    if (service === '' && method !== '') throw new OptionError(`the method ${shown(method)} has no service`);
  },
});

const bytes = integerValue(0, 2 ** 32 - 1);

const methodRecord = record({
  fields: {
    name: requiredField(listOf(nameRecord, 'a list of names'), '', 'a methodConfig has a list "name"'),
    waitForReady: field(booleanValue, 'false; true is refused'),
    timeout: field(timeValue, 'the longest time of a call'),
    maxRequestMessageBytes: field(bytes, 'the largest message to the service'),
    maxResponseMessageBytes: field(bytes, 'the largest message from the service'),
    retryPolicy: field(retryRecord, 'when a call is sent again'),
    hedgingPolicy: field(
      refused('calls are not hedged (sent several times at once); write a retryPolicy, or leave it out'),
      'refused',
    ),
  },
  about: 'a methodConfig',
  expected: 'a methodConfig is a map such as { name: [{ service: shop.v1.Shelves }], timeout: 1s }',
  check({ waitForReady }, { members }, reader) {
    if (waitForReady !== true) return;
    const place = members.find(({ name }) => name === 'waitForReady')?.place;
    reader.attempt('waitForReady', place, () => {
      throw new OptionError(
        'calls wait for a connection for connect_timeout, and not for a service that is down; leave it out, and write a retryPolicy for UNAVAILABLE',
      );
    });
  },
});

const throttlingRecord = record({
  fields: {
    maxTokens: requiredField(positive(1000), '', 'retryThrottling has maxTokens and tokenRatio'),
    tokenRatio: requiredField(positive(1000), '', 'retryThrottling has maxTokens and tokenRatio'),
  },
  about: 'retryThrottling',
  expected: 'retryThrottling is a map such as { maxTokens: 10, tokenRatio: 0.1 }',
});

const healthRecord = record({
  fields: {
    serviceName: field(text("a service such as shop.v1.Shelves, or '' for the server as a whole", /^[\w.-]*$/), ''),
  },
  about: 'healthCheckConfig',
  expected: 'healthCheckConfig is a map such as { serviceName: shop.v1.Shelves }',
});

const pickFirst = record({
  fields: {
    shuffleAddressList: field(booleanValue, 'false; true is refused'),
  },
  about: 'pick_first',
  expected: 'pick_first is a map such as {}',
  check({ shuffleAddressList }) {
    if (shuffleAddressList === true)
      throw new OptionError('addresses are tried in their order; leave shuffleAddressList out');
  },
});

const roundRobin = record({ fields: {}, about: 'round_robin', expected: 'round_robin is an empty map' });

const leastRequest = record({
  fields: { choiceCount: field(integerValue(2, 2 ** 31 - 1), 'two are compared, whatever it says') },
  about: 'least_request',
  expected: 'least_request is a map such as { choiceCount: 2 }',
});

const policies: Readonly<Record<string, readonly [policy: BalancingPolicy, settings: Kind<unknown, unknown>]>> = {
  pick_first: ['pick_first', pickFirst],
  round_robin: ['round_robin', roundRobin],
  least_request: ['least_request', leastRequest],
  least_request_experimental: ['least_request', leastRequest],
};

/** The first policy that is known counts, and what stands behind it is not looked at. */
const policyList: Kind<BalancingPolicy, Plain> = {
  unit: '',
  jsonSchema: { type: 'array', items: { type: 'object' } },
  readNode(node, reader) {
    const items = node.kind === 'list' ? node.items : [];
    for (const [index, item] of items.entries()) {
      const [member, ...others] = item.kind === 'map' ? item.members : [];
      if (member === undefined || others.length > 0)
        throw new OptionError(`element ${index} is not a map of one policy, such as { round_robin: {} }`);
      const known = Object.hasOwn(policies, member.name) ? policies[member.name] : undefined;
      if (known === undefined) continue;
      const [policy, settings] = known;
      reader.attempt(member.name, member.place, () => settings.readNode(member.value, reader));
      return policy;
    }
    const known = Object.keys(policies).join(', ');
    const found = items.flatMap((item) => (item.kind === 'map' ? item.members.map(({ name }) => name) : []));
    throw new OptionError(`found ${shown(found.join(', '))}, and none of these policies is known; known are ${known}`);
  },
  print: (policy) => [{ [policy]: {} }],
};

const configRecord = record({
  fields: {
    loadBalancingPolicy: field(
      enumValue('PICK_FIRST', 'ROUND_ROBIN', 'pick_first', 'round_robin'),
      'old form of loadBalancingConfig, which goes before it',
    ),
    loadBalancingConfig: field(policyList, 'policies, of which the first that is known counts'),
    methodConfig: field(listOf(methodRecord, 'a list of maps'), 'what holds for some RPCs'),
    retryThrottling: field(throttlingRecord, 'when nothing is sent again'),
    healthCheckConfig: field(healthRecord, 'servers are asked for their health'),
    connectionScaling: field(
      refused('further connections are opened when a server has no room; leave it out'),
      'refused',
    ),
  },
  about: 'a service config',
  expected:
    'a service config is a map such as { methodConfig: [{ name: [{}], timeout: 1s }] }, or the path of a JSON file',
});

type Given = KindValue<typeof configRecord>;
type GivenMethod = NonNullable<Given['methodConfig']>[number];

/** A service config: a map, or the path of a file that holds one. */
export const serviceConfigKind: Kind<ServiceConfig, Plain> = {
  unit: '',
  jsonSchema: { anyOf: [{ type: 'string' }, configRecord.jsonSchema] },
  readNode(node, outer) {
    const path = node.kind === 'scalar' && typeof node.value === 'string' ? node.value : undefined;
    const found = path === undefined ? node : readFile(resolve(outer.folder ?? '', path), outer);
    // Its names are the same in files and in programs.
    const reader = new Reader(outer.problems, { title: (_name, path) => `service_config${path.map(step).join('')}` });
    const before = outer.problems.errors.length;
    const given = configRecord.readNode(found, reader);
    // What was refused is missing, though it may be required.
    if (outer.problems.errors.length > before) return { methods: [], raw: null };
    return configOf(given, found, reader);
  },
  print: ({ raw }) => raw,
};

const step = (name: string): string => (/^\d+$/.test(name) ? `[${name}]` : `.${name}`);

/** @throws OptionError */
function readFile(path: string, { problems }: Reader): InputNode {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new OptionError(`the file ${path} cannot be read: ${messageOf(error).replace(/, open .*/s, '')}`);
  }
  // A file that is no YAML is reported already.
  return parseYaml({ file: path, text }, problems) ?? { kind: 'map', members: [], place: undefined };
}

function configOf(given: Given, node: InputNode, reader: Reader): ServiceConfig {
  const { loadBalancingPolicy, loadBalancingConfig, methodConfig = [], retryThrottling, healthCheckConfig } = given;
  const old = loadBalancingPolicy?.toLowerCase() as BalancingPolicy | undefined;
  const policy = loadBalancingConfig ?? old;
  checkNames(methodConfig, node, reader);
  return {
    methods: methodConfig.map((one) => methodOf(one, retryThrottling)),
    ...(policy !== undefined && { policy }),
    ...(healthCheckConfig !== undefined && { healthService: healthCheckConfig.serviceName ?? '' }),
    raw: plain(node),
  };
}

function methodOf(given: GivenMethod, budget: RetrySettings['budget']): MethodSettings {
  const { name, timeoutMs, maxRequestMessageBytes, maxResponseMessageBytes, retryPolicy } = given;
  return {
    names: name.map(nameOf),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(maxRequestMessageBytes !== undefined && { maxRequestBytes: maxRequestMessageBytes }),
    ...(maxResponseMessageBytes !== undefined && { maxResponseBytes: maxResponseMessageBytes }),
    ...(retryPolicy !== undefined && {
      retries: {
        attempts: Math.min(retryPolicy.maxAttempts, MAX_ATTEMPTS),
        codes: retryPolicy.retryableStatusCodes,
        // Who writes the policy says so.
        idempotent: true,
        initialBackoffMs: retryPolicy.initialBackoffMs,
        maxBackoffMs: retryPolicy.maxBackoffMs,
        backoffMultiplier: retryPolicy.backoffMultiplier,
        ...(retryPolicy.perAttemptRecvTimeoutMs !== undefined && {
          perTryTimeoutMs: retryPolicy.perAttemptRecvTimeoutMs,
        }),
        budget,
      },
    }),
  };
}

function nameOf({ service = '', method = '' }: GivenMethod['name'][number]): string {
  if (service === '') return '*';
  return `${service}.${method === '' ? '*' : method}`;
}

/** Of two configs of one name nobody could say which counts. */
function checkNames(methods: readonly GivenMethod[], node: InputNode, reader: Reader): void {
  const seen = new Set<string>();
  for (const name of methods.flatMap((method) => method.name.map(nameOf))) {
    if (seen.has(name)) {
      const what = name === '*' ? 'for all RPCs ({})' : `for ${name}`;
      reader.error(
        node.place,
        'config-conflict',
        `service_config.methodConfig: there are two ${what}; leave one of them out`,
      );
    }
    seen.add(name);
  }
}
