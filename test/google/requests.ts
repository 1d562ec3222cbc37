/**
 * A generated request for each rule of a unary rpc in google-proto-files: it must reach its method with its values, unless
 * a more specific rule takes its path. Rules, requests and expected messages come from protobufjs, which parses the
 * files by itself; the gateway gets nothing but the request. With each run other values: `FUZZ_SEED` repeats one.
 */
import { isDeepStrictEqual } from 'node:util';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { MemoryExchange, type MemoryRequest } from '../support/exchange.js';
import { Random } from '../support/random.js';
import { type Google, ruleFiles } from './google.js';
import { MessageSamples, type Sample } from './samples.js';

interface Rule {
  readonly rpc: string;
  readonly httpMethod: string;
  readonly template: string;
  readonly body: string | undefined;
  readonly input: protobuf.Type;
}

type RawRule = Readonly<Record<string, unknown>>;

// ---- the rules, as protobufjs reads them

function loadRoot(folder: string): protobuf.Root {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => (target.startsWith('/') ? target : join(folder, target));
  root.loadSync(ruleFiles(folder), { keepCase: true });
  const names = new Set<string>();
  visit(root, (object) => names.add(object.fullName));
  visit(root, (object) => {
    if (object instanceof protobuf.Type)
      for (const field of object.fieldsArray) makeAbsolute(field, object.fullName, names);
  });
  return root;
}

function visit(namespace: protobuf.NamespaceBase, see: (object: protobuf.ReflectionObject) => void): void {
  for (const nested of namespace.nestedArray) {
    see(nested);
    if (nested instanceof protobuf.Namespace) visit(nested, see);
  }
}

/** protobufjs also looks into what lies beside a scope, and so finds a `State` of another message. */
function makeAbsolute(field: protobuf.Field, from: string, names: ReadonlySet<string>): void {
  for (let scope = from; scope !== ''; scope = scope.slice(0, scope.lastIndexOf('.'))) {
    if (!names.has(`${scope}.${field.type}`)) continue;
    field.type = `${scope}.${field.type}`;
    field.resolved = false;
    field.resolvedType = null;
    field.resolve();
    return;
  }
}

function rulesOf(namespace: protobuf.NamespaceBase): Rule[] {
  return namespace.nestedArray.flatMap((nested) => {
    if (nested instanceof protobuf.Service) return nested.methodsArray.flatMap(rulesOfMethod);
    return nested instanceof protobuf.Namespace ? rulesOf(nested) : [];
  });
}

function rulesOfMethod(method: protobuf.Method): Rule[] {
  if (method.requestStream === true || method.responseStream === true) return [];
  const options = (method.parsedOptions ?? []) as readonly Readonly<Record<string, RawRule>>[];
  const key = (option: object): string | undefined =>
    Object.keys(option).find((name) => /^\(\.?google\.api\.http\)$/.test(name));
  return options.flatMap((option) => {
    const name = key(option);
    if (name === undefined) return [];
    const rule = option[name]!;
    const additional = [rule['additional_bindings'] ?? []].flat() as RawRule[];
    return [rule, ...additional].map((raw) => ruleOf(method, raw));
  });
}

function ruleOf(method: protobuf.Method, raw: RawRule): Rule {
  const custom = raw['custom'] as { kind: string; path: string } | undefined;
  const verb = ['get', 'put', 'post', 'delete', 'patch'].find((name) => raw[name] !== undefined);
  return {
    rpc: `${method.parent!.fullName.slice(1)}/${method.name}`,
    httpMethod: custom?.kind ?? verb!.toUpperCase(),
    template: custom?.path ?? (raw[verb!] as string),
    body: raw['body'] === '' ? undefined : (raw['body'] as string | undefined),
    input: method.resolvedRequestType!,
  };
}

// ---- templates: a variable's text, a pattern of all paths, and how specific it is

const VARIABLE = /\{([^}=]+)(?:=([^}]+))?\}/g;

/** `/v1/{name=a/*}:go` → `/v1/a/*:go`. */
const bare = (template: string): string =>
  template.replace(VARIABLE, (_, _name, inner: string | undefined) => inner ?? '*');

function pattern(template: string): RegExp {
  const text = bare(template)
    .replace(/[.$+?^()|[\]\\]/g, '\\$&')
    .replace(/\/\*\*/g, '(?:/@)?')
    .replace(/\*/g, '[^/]+')
    .replace(/@/g, '.*');
  return new RegExp(`^${text}$`);
}

/** Whether a path that both match is rightly the first one's: the rule of the documentation, in few words. */
function precedes(first: Rule, second: Rule): boolean {
  const [a, b] = [bare(first.template), bare(second.template)];
  const verb = (text: string): boolean => /:[^/]*$/.test(text);
  if (verb(a) !== verb(b)) return verb(a);
  const rank = (segment: string | undefined): number =>
    segment === undefined ? 2 : segment === '**' ? 3 : segment === '*' ? 1 : 0;
  const [left, right] = [a.split(/[/:]/), b.split(/[/:]/)];
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    if (left[index] === '**' && right[index] === '**' && left.length !== right.length)
      return left.length > right.length;
    const difference = rank(left[index]) - rank(right[index]);
    if (difference !== 0) return difference < 0;
  }
  return a === b;
}

// ---- requests

interface Generated {
  readonly request: MemoryRequest;
  readonly path: string;
  /** The message as protobufjs prints it. */
  readonly expected: object;
}

function generate(rule: Rule, samples: MessageSamples): Generated {
  const set: [path: string[], value: unknown][] = [];
  const bound: string[] = [];
  const path = rule.template.replace(VARIABLE, (_, name: string, inner = '*') => {
    const { raw, value } = samples.pathValue(rule.input, name, inner as string);
    set.push([name.split('.'), value]);
    bound.push(name);
    return raw;
  });
  const concrete = path.replace(/(?<=\/)\*\*?(?=$|[/:])/g, () => samples.word());
  let json: unknown;
  const taken = new Set(bound.map((name) => name.split('.')[0]!));
  const raw = rawBody(rule);
  if (raw !== undefined) {
    const { name, data } = raw;
    const value = { content_type: 'text/x-sample', data: Buffer.from(data).toString('base64') };
    if (name === undefined)
      set.push(...Object.entries(value).map(([field, item]): [string[], unknown] => [[field], item]));
    else {
      set.unshift([[name], value]);
      taken.add(name);
    }
  } else if (rule.body === '*') {
    const sample = samples.message(rule.input, 0, taken);
    json = sample.json;
    set.push(...Object.entries(sample.plain as object).map(([name, value]): [string[], unknown] => [[name], value]));
  } else if (rule.body !== undefined) {
    const sample = bodySample(rule, samples, bound);
    json = sample.json;
    if (sample.plain !== undefined) set.unshift([[rule.body], sample.plain]);
    taken.add(rule.body);
  }
  const query = rule.body === '*' ? [] : samples.query(rule.input, taken, set);
  const expected: Record<string, unknown> = {};
  for (const [names, value] of set) assign(expected, names, value);
  const method = rule.httpMethod === '*' ? 'POST' : rule.httpMethod;
  const target = query.length === 0 ? concrete : `${concrete}?${query.join('&')}`;
  return {
    request:
      raw !== undefined
        ? { method, target, body: raw.data, headers: ['host', 'localhost', 'content-type', 'text/x-sample'] }
        : { method, target, ...(json === undefined ? {} : { body: JSON.stringify(json) }) },
    path: concrete,
    expected: normal(rule.input, expected),
  };
}

/** The body of a rule that takes it raw, and the field that it goes to; undefined for a rule that takes JSON. */
function rawBody({ body, input }: Rule): { name: string | undefined; data: string } | undefined {
  const field = body === undefined || body === '*' ? undefined : input.fields[body]!.resolve();
  const type = body === '*' ? input : field?.resolvedType;
  if (type?.fullName !== '.google.api.HttpBody') return undefined;
  return { name: field?.name, data: 'not {JSON} ' };
}

/** Of the body field, without the parts that the path sets. */
function bodySample({ body, input }: Rule, samples: MessageSamples, bound: readonly string[]): Sample {
  const field = input.fields[body!]!.resolve();
  const below = bound
    .filter((name) => name.startsWith(`${body}.`))
    .map((name) => name.slice(body!.length + 1).split('.')[0]!);
  if (field.resolvedType instanceof protobuf.Type && !field.repeated && !field.map) {
    return samples.ofType(field.resolvedType, 0, new Set(below));
  }
  return samples.field(field, 0);
}

function assign(target: Record<string, unknown>, names: readonly string[], value: unknown): void {
  const [name, ...rest] = names as [string, ...string[]];
  if (rest.length === 0) target[name] = value;
  else assign((target[name] ??= {}) as Record<string, unknown>, rest, value);
}

const PRINTED = { longs: String, bytes: String, enums: Number };

/** What protobufjs reads from its own bytes: defaults that proto3 does not write are gone. */
function normal(type: protobuf.Type, plain: object): object {
  return printed(type, type.encode(type.fromObject(plain)).finish());
}

function printed(type: protobuf.Type, bytes: Uint8Array): object {
  return JSON.parse(JSON.stringify(type.toObject(type.decode(bytes), PRINTED))) as object;
}

// ---- the run

/**
 * Whether all did.
 *
 * @param folder of google-proto-files, which protobufjs reads for itself
 * @param every one rule of so many, others with another seed
 */
export async function checkRequests(google: Google, folder: string, every: number): Promise<boolean> {
  const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 1_000_000);
  const all = rulesOf(loadRoot(folder));
  const rules = all.filter((_rule, index) => index % every === seed % every);
  const samples = new MessageSamples(new Random(seed));

  let reached = 0;
  let shadowed = 0;
  const failures: string[] = [];
  for (const rule of rules) {
    const { request, path, expected } = generate(rule, samples);
    const exchange = new MemoryExchange(request);
    google.gateway.handle(exchange);
    const { status, body } = await exchange.answer;
    const call = google.taken();
    const label = `${rule.rpc} ${rule.httpMethod} ${rule.template}\n  ${request.target} ${String(request.body ?? '')}\n `;
    const winner = google.bindingFor(request.method!, path);
    const winnerRpc = winner?.method.path.slice(1);
    if (winner !== undefined && (winnerRpc !== rule.rpc || winner.template.source !== rule.template)) {
      const other: Rule = { ...rule, rpc: winnerRpc!, template: winner.template.source };
      if (pattern(other.template).test(path) && precedes(other, rule)) shadowed++;
      else failures.push(`${label} taken by ${other.rpc} ${other.template}`);
    } else if (status !== 200 || call === undefined) {
      failures.push(`${label} ${status} ${body.toString().slice(0, 300)}`);
    } else if (call.request.path !== `/${rule.rpc}`) {
      failures.push(`${label} reached ${call.request.path}`);
    } else {
      const found = printed(rule.input, call.message);
      if (isDeepStrictEqual(found, expected)) reached++;
      else failures.push(`${label} expected ${JSON.stringify(expected)}\n  found    ${JSON.stringify(found)}`);
    }
  }
  for (const failure of failures.slice(0, 15)) console.error(failure);
  console.log(
    `seed ${seed}: of ${rules.length} rules ${reached} reach their rpc with their values, ${shadowed} are shadowed, ${failures.length} fail`,
  );
  return failures.length === 0 && all.length > 10_000 && shadowed < rules.length / 10;
}
