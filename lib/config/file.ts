/**
 * The configuration file: YAML → `Settings`, every key and value checked, each complaint with its line and column.
 * Paths in the file are relative to the file. In one file, as all of it reads one tree of nodes with the same few helpers and
 * reports to the same list; what is long in itself (`jwt`, `values`) stands beside.
 */
import { dirname, resolve } from 'node:path';
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type Document,
  type Node,
  type Pair,
  type YAMLMap,
} from 'yaml';
import { isHeaderName } from '../headers.js';
import { type CorsOptions, type JwtOptions, normalOrigin } from '../policy/index.js';
import { ConfigError, nearestName, type ProblemList, type SourcePlace } from '../status.js';
import { quote } from '../uri.js';
import { parseUpstream, type UpstreamSpec, type UpstreamTls } from '../upstream/index.js';
import type { OptionMessage, OptionValue } from '../schema/index.js';
import type {
  ListenerSettings,
  MethodSetting,
  MountSettings,
  Reflection,
  ServingSettings,
  Settings,
  Writable,
} from './config.js';
import { readJwt, type Step } from './jwt.js';
import { absolutePaths, optionSpec, type OptionSpec, optionSpecs, type Options, upstreamTlsSpecs } from './options.js';
import { booleanValue, OptionError, type RawValue, timeValue, type ValueKind } from './values.js';

/** The largest file that is read, in bytes. */
const MAX_FILE_BYTES = 4 * 1024 ** 2;

/** Method options are maps of lists of maps. */
const MAX_OPTION_DEPTH = 10;

/** Keys of a place besides the options. */
type Keys = readonly string[];
const servingKeys = ['services', 'rules', 'upstreams', 'methods', 'policies'];
const topKeys: Keys = [
  'proto',
  'proto_path',
  'descriptor_set',
  'reflection',
  'watch',
  'listen',
  'listeners',
  'tls',
  ...servingKeys,
];
const listenerKeys: Keys = ['listen', 'mounts', 'tls', ...servingKeys];
const mountKeys: Keys = ['path', 'host', ...servingKeys];

const corsKeys: Keys = ['origins', 'methods', 'headers', 'expose', 'credentials', 'max_age'];

const noListenerTls: Partial<Options> = {
  tlsCert: undefined,
  tlsKey: undefined,
  tlsClientCa: undefined,
  tlsClientCert: 'none',
};

interface NamedPair {
  readonly name: string;
  readonly key: Node;
  readonly value: Node | null;
}

/**
 * Reads a configuration.
 * @param file as the user named it, for messages; with `workingDirectory` the base of relative paths.
 */
export function parseConfigFile(file: string, text: string, workingDirectory: string, problems: ProblemList): Settings {
  if (text.length > MAX_FILE_BYTES) {
    problems.error({
      code: 'config-file',
      message: `the file is larger than ${MAX_FILE_BYTES} bytes, which no configuration is`,
      place: { file },
    });
    return {};
  }
  return new FileReader(file, text, dirname(resolve(workingDirectory, file)), problems).read();
}

class FileReader {
  private readonly lines = new LineCounter();
  private readonly document: Document.Parsed;

  constructor(
    private readonly file: string,
    text: string,
    private readonly folder: string,
    private readonly problems: ProblemList,
  ) {
    this.document = parseDocument(text, { lineCounter: this.lines, prettyErrors: false });
  }

  read(): Settings {
    for (const error of this.document.errors) {
      const { line, col } = this.lines.linePos(error.pos[0]);
      this.problems.error({
        code: 'config-syntax',
        message: `not valid YAML: ${error.message}`,
        place: { file: this.file, line, column: col },
      });
    }
    if (this.document.errors.length > 0 || this.document.contents === null) return {};
    const root = this.document.contents as Node;
    if (!isMap(root)) {
      this.error(root, 'config-type', 'a configuration is a map of keys, such as "proto: [protos]"');
      return {};
    }
    return this.settings(root);
  }

  private settings(root: YAMLMap): Settings {
    const settings: Writable<Settings> = { options: {} };
    for (const pair of this.pairs(root)) {
      const { name, value } = pair;
      if (name === 'proto') settings.proto = this.paths(value);
      else if (name === 'proto_path') settings.protoPath = this.paths(value);
      else if (name === 'descriptor_set') settings.descriptorSet = this.paths(value);
      else if (name === 'reflection') settings.reflection = this.reflection(value);
      else if (name === 'watch') settings.watch = this.valueOf(booleanValue, name, pair.key, value) ?? false;
      else if (name === 'listen') settings.listen = this.addresses(value);
      else if (name === 'listeners') settings.listeners = this.listeners(value);
      else this.serving(pair, settings, topKeys);
    }
    if (settings.listen !== undefined && settings.listeners !== undefined) {
      const message = '"listen" and "listeners" are both given; write the addresses in "listeners"';
      this.error(root, 'config-conflict', message);
    }
    return settings;
  }

  /** true, false or names of upstreams. */
  private reflection(value: Node | null): Reflection | false {
    const raw = this.plain(value);
    return typeof raw === 'boolean' ? raw : this.texts(value);
  }

  /** What stands at the top, on a listener or on a mount alike. */
  private serving({ name, key, value }: NamedPair, into: Writable<ServingSettings>, keys: Keys): void {
    if (name === 'services') into.services = this.texts(value);
    else if (name === 'rules') into.rules = this.paths(value);
    else if (name === 'upstreams') into.upstreams = this.upstreams(value);
    else if (name === 'methods') into.methods = this.methods(value);
    else if (name === 'policies') Object.assign(into.options!, this.policies(value));
    else this.option({ name, key, value }, into.options!, keys);
  }

  private option({ name, key, value }: NamedPair, into: Partial<Options>, keys: Keys): void {
    const spec = optionSpec(name);
    if (spec === undefined && name !== 'tls') {
      this.unknownKey(name, key, keys);
      return;
    }
    if (spec?.listenerOnly !== false && keys === mountKeys) {
      this.error(key, 'config-conflict', `"${name}" is the same for a whole listener; write it on the listener`);
      return;
    }
    if (spec === undefined) this.listenerTls(value, into);
    else Object.assign(into, this.optionValue(spec, name, key, value));
  }

  /** The option with its value, paths as seen from the file; empty where the value will not do. */
  private optionValue(spec: OptionSpec, title: string, key: Node, value: Node | null): Partial<Options> {
    try {
      const given: Partial<Options> = { [spec.key]: spec.kind.read(this.plain(value)) };
      return { ...given, ...absolutePaths(given, this.folder) };
    } catch (error) {
      if (!(error instanceof OptionError)) throw error;
      this.error(value ?? key, 'bad-option', `${title}: ${error.message}`);
      return {};
    }
  }

  private policies(value: Node | null): Partial<Options> {
    if (!isMap(value)) {
      this.error(
        value,
        'config-type',
        '"policies" is a map such as { cors: { origins: ["https://console.example.com"] } }',
      );
      return {};
    }
    const options: Writable<Partial<Options>> = {};
    for (const { name, key, value: inner } of this.pairs(value)) {
      if (name === 'cors') options.cors = this.cors(inner);
      else if (name === 'jwt') options.jwt = this.jwt(inner);
      else this.error(key, 'unknown-key', `there is no key ${quote(name)} here; "policies" has: cors, jwt`);
    }
    return options;
  }

  /** A map, or false to take back what stands further out. */
  private cors(value: Node | null): CorsOptions | undefined {
    if (isScalar(value) && value.value === false) return undefined;
    if (!isMap(value)) {
      this.error(value, 'config-type', '"cors" is false or a map such as { origins: ["https://console.example.com"] }');
      return undefined;
    }
    const cors: Writable<CorsOptions> = { origins: [] };
    const pairs = this.pairs(value);
    for (const { name, key, value: inner } of pairs) {
      if (name === 'origins') cors.origins = this.origins(inner);
      else if (name === 'methods') cors.methods = this.tokens(inner, 'a method such as PUT');
      else if (name === 'headers') cors.headers = this.tokens(inner, 'a header name').map((text) => text.toLowerCase());
      else if (name === 'expose') cors.expose = this.tokens(inner, 'a header name').map((text) => text.toLowerCase());
      else if (name === 'credentials') cors.credentials = this.valueOf(booleanValue, name, key, inner);
      else if (name === 'max_age') cors.maxAgeMs = this.valueOf(timeValue, name, key, inner);
      else this.error(key, 'unknown-key', `there is no key ${quote(name)} here; "cors" has: ${corsKeys.join(', ')}`);
    }
    if (!pairs.some(({ name }) => name === 'origins'))
      this.error(
        value,
        'config-type',
        '"cors" has no "origins": the pages that may call, such as https://console.example.com',
      );
    const credentials = pairs.find(({ name }) => name === 'credentials');
    if (cors.credentials === true && cors.origins.includes('*')) {
      const message =
        'credentials for every origin would let any page act as its visitor; name the origins in the place of *';
      this.error(credentials!.key, 'config-conflict', message);
    }
    return cors;
  }

  /** A map, or false to take back what stands further out. */
  private jwt(value: Node | null): JwtOptions | undefined {
    if (isScalar(value) && value.value === false) return undefined;
    return readJwt(this.plain(value), {
      error: (path, code, message) => this.error(this.nodeAt(value, path), code, message),
      placeOf: (path) => this.placeOf(this.nodeAt(value, path)),
      folder: this.folder,
    });
  }

  /** What stands at a path below a node; the nearest that is there. */
  private nodeAt(root: Node | null, path: readonly Step[]): Node | null {
    let node = root;
    for (const [index, step] of path.entries()) {
      if (isMap(node)) {
        const pair = this.pairs(node).find(({ name }) => name === step);
        if (pair === undefined) return node;
        // A complaint about a whole map or list is one about its key.
        const isLast = index === path.length - 1;
        node = pair.value === null || (isLast && !isScalar(pair.value)) ? pair.key : pair.value;
      } else if (isSeq(node) && typeof step === 'number') {
        node = this.resolved(node.items[step] as Node);
      } else return node;
    }
    return node;
  }

  private origins(value: Node | null): string[] {
    return this.checked(value, 'an origin such as https://console.example.com, https://*.example.com or *', (text) =>
      text === '*' ? text : normalOrigin(text),
    );
  }

  /** Names of methods or headers. */
  private tokens(value: Node | null, expected: string): string[] {
    return this.checked(value, expected, (text) => (isHeaderName(text) && text !== '*' ? text : undefined));
  }

  /** Texts that `convert` takes; each other one is blamed where it stands. */
  private checked(value: Node | null, expected: string, convert: (text: string) => string | undefined): string[] {
    const nodes = isSeq(value) ? (value.items as Node[]) : [value];
    return nodes.flatMap((node) => {
      const raw = this.plain(node);
      const text = typeof raw === 'string' ? convert(raw) : undefined;
      if (text !== undefined) return [text];
      this.error(
        node,
        'config-type',
        `found ${quote(typeof raw === 'string' ? raw : JSON.stringify(raw))}, expected ${expected}`,
      );
      return [];
    });
  }

  private valueOf<T>(kind: ValueKind<T>, title: string, key: Node, value: Node | null): T | undefined {
    try {
      return kind.read(this.plain(value));
    } catch (error) {
      if (!(error instanceof OptionError)) throw error;
      this.error(value ?? key, 'bad-option', `${title}: ${error.message}`);
      return undefined;
    }
  }

  /** `tls: { cert: FILE }` is `tls_cert: FILE`; `tls: false` takes back what stands further out. */
  private listenerTls(value: Node | null, into: Partial<Options>): void {
    if (isScalar(value) && value.value === false) Object.assign(into, noListenerTls);
    else Object.assign(into, this.tlsOptions(value, 'tls_', 'false or a map such as { cert: FILE, key: FILE }'));
  }

  /** Options written as a map in which their names lack `prefix`. */
  private tlsOptions(value: Node | null, prefix: string, expected: string): Partial<Options> {
    if (!isMap(value)) {
      this.error(value, 'config-type', `"tls" is ${expected}`);
      return {};
    }
    const specs = prefix === 'upstream_' ? upstreamTlsSpecs : optionSpecs.filter(({ name }) => name.startsWith(prefix));
    const options = this.pairs(value).map(({ name, key, value: inner }) => {
      const spec = specs.find((candidate) => candidate.name === prefix + name);
      if (spec !== undefined) return this.optionValue(spec, `tls.${name}`, key, inner);
      const known = specs.map((candidate) => candidate.name.slice(prefix.length));
      const message = `there is no key ${quote(name)} here; "tls" has: ${known.join(', ')}`;
      this.error(key, 'unknown-key', message);
      return {};
    });
    return Object.assign({}, ...options) as Partial<Options>;
  }

  private unknownKey(name: string, key: Node, otherKeys: Keys): void {
    const known = [...otherKeys, ...optionSpecs.map((spec) => spec.name)];
    const snake = name.replace(/-/g, '_').replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const near = known.includes(snake) ? snake : nearestName(snake, known);
    this.problems.error({
      code: 'unknown-key',
      message: `there is no key ${quote(name)} here`,
      place: this.placeOf(key),
      hint: near === undefined ? `keys are: ${known.join(', ')}` : `did you mean ${near}?`,
    });
  }

  /** A map of `package or service: target`, with `default` for the rest. */
  private upstreams(value: Node | null): UpstreamSpec[] {
    if (isScalar(value) && typeof value.value === 'string') return this.upstream(value, value.value);
    if (!isMap(value)) {
      this.error(value, 'config-type', '"upstreams" is a map such as "chainfire.v1: 127.0.0.1:50051"');
      return [];
    }
    return this.pairs(value).flatMap(({ name, value: target, key }) => {
      const { text, tls } = isMap(target) ? this.upstreamMap(target) : { text: this.plain(target), tls: undefined };
      if (typeof text !== 'string') {
        this.error(target ?? key, 'config-type', `the upstream of ${name} is a target such as 127.0.0.1:50051`);
        return [];
      }
      const specs = this.upstream(target ?? key, name === 'default' ? text : `${name}=${text}`);
      return tls === undefined ? specs : specs.map((spec) => ({ ...spec, tls }));
    });
  }

  /** A map of selectors; what is in each is judged where the method is known. */
  private methods(value: Node | null): MethodSetting[] {
    if (!isMap(value)) {
      this.error(
        value,
        'config-type',
        '"methods" is a map of selectors, such as "pkg.Service.Method: { success_status: 201 }"',
      );
      return [];
    }
    return this.pairs(value).flatMap(({ name, key, value: options }) => {
      if (!isMap(options)) {
        this.error(options ?? key, 'config-type', `the options of ${name} are a map, such as { success_status: 201 }`);
        return [];
      }
      const raw = this.plain(options) as Readonly<Record<string, RawValue>>;
      return [{ selector: name, place: this.placeOf(key), option: this.optionMessage(options, 0), raw }];
    });
  }

  /** As an annotation's option reads: a list is its member again and again; null is not there. */
  private optionMessage(map: YAMLMap, depth: number): OptionMessage {
    const fields = this.pairs(map).flatMap(({ name, key, value }) => {
      const items = isSeq(value) ? (value.items as Node[]).map((item) => this.resolved(item)) : [value];
      return items.flatMap((item) => {
        const option = this.methodValue(item, depth + 1);
        return option === undefined ? [] : [{ name, value: option, place: this.placeOf(item ?? key) }];
      });
    });
    return { fields, place: this.placeOf(map) };
  }

  private methodValue(node: Node | null, depth: number): OptionValue | undefined {
    if (isMap(node)) {
      if (depth <= MAX_OPTION_DEPTH) return this.optionMessage(node, depth);
      this.error(node, 'config-type', `maps are nested more than ${MAX_OPTION_DEPTH} deep`);
      return undefined;
    }
    if (!isScalar(node)) return undefined;
    const { value } = node;
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
    return value === null ? undefined : (node.source ?? '');
  }

  private upstreamMap(map: YAMLMap): { text: RawValue; tls: UpstreamSpec['tls'] } {
    let text: RawValue = null;
    let tls: UpstreamSpec['tls'];
    for (const { name, key, value } of this.pairs(map)) {
      if (name === 'target') text = this.plain(value);
      else if (name === 'tls') tls = this.upstreamTls(value);
      else this.error(key, 'unknown-key', `there is no key ${quote(name)} here; an upstream has: target, tls`);
    }
    return { text, tls };
  }

  private upstreamTls(value: Node | null): UpstreamTls | false {
    if (isScalar(value) && typeof value.value === 'boolean') return value.value ? {} : false;
    const options = this.tlsOptions(value, 'upstream_', 'true, false or a map such as { ca: FILE }');
    const { upstreamCa: ca, upstreamCert: cert, upstreamKey: key, upstreamAuthority: authority } = options;
    return { ca, cert, key, authority };
  }

  private upstream(node: Node, spec: string): UpstreamSpec[] {
    try {
      return [parseUpstream(spec)];
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      for (const problem of error.problems) this.problems.error({ ...problem, place: this.placeOf(node) });
      return [];
    }
  }

  private listeners(value: Node | null): ListenerSettings[] {
    if (!isSeq(value)) {
      this.error(value, 'config-type', '"listeners" is a list, each element with "listen: [host:]port"');
      return [];
    }
    return value.items.flatMap((item) => {
      const node = this.resolved(item as Node);
      if (isMap(node)) return [this.listener(node)];
      this.error(node, 'config-type', 'a listener is a map with "listen: [host:]port"');
      return [];
    });
  }

  private listener(map: YAMLMap): ListenerSettings {
    const listener: Writable<ListenerSettings> = { listen: [], options: {} };
    const pairs = this.pairs(map);
    for (const pair of pairs) {
      if (pair.name === 'listen') listener.listen = this.addresses(pair.value);
      else if (pair.name === 'mounts') listener.mounts = this.mounts(pair.value);
      else this.serving(pair, listener, listenerKeys);
    }
    if (!pairs.some(({ name }) => name === 'listen')) {
      this.error(map, 'config-type', 'this listener has no "listen: [host:]port"');
    }
    return listener;
  }

  /** A map of path prefixes, or a list whose elements have a `path`: for one path under several hosts. */
  private mounts(value: Node | null): MountSettings[] {
    if (isMap(value)) {
      return this.pairs(value).flatMap(({ name, key, value: mount }) => this.mount(name, key, mount));
    }
    if (isSeq(value)) {
      return (value.items as Node[]).flatMap((item) => {
        const mount = this.resolved(item);
        const path = isMap(mount) ? this.pairs(mount).find(({ name }) => name === 'path') : undefined;
        const text = this.plain(path?.value ?? null);
        return this.mount(typeof text === 'string' ? text : '/', path?.value ?? item, mount);
      });
    }
    this.error(
      value,
      'config-type',
      '"mounts" is a map of path prefixes, such as "/chainfire: { services: [chainfire.v1] }"',
    );
    return [];
  }

  private mount(path: string, place: Node, value: Node | null): MountSettings[] {
    if (!isMap(value)) {
      this.error(value ?? place, 'config-type', `the mount ${path} is a map, such as { services: [chainfire.v1] }`);
      return [];
    }
    if (!/^\/(?:[^/?#\s{}*]+(?:\/[^/?#\s{}*]+)*)?$/.test(path)) {
      const message = `found ${quote(path)}, expected a path prefix such as /chainfire: no wildcard, no slash at its end`;
      this.error(place, 'config-type', message);
      return [];
    }
    const mount: Writable<MountSettings> = { prefix: path === '/' ? '' : path, hosts: [], options: {} };
    for (const pair of this.pairs(value)) {
      if (pair.name === 'path') continue;
      if (pair.name === 'host') mount.hosts = this.hosts(pair.value);
      else this.serving(pair, mount, mountKeys);
    }
    return [mount];
  }

  private hosts(value: Node | null): string[] {
    return this.items(value, 'a host name such as api.example.com or *.example.com, without a port', (raw) =>
      typeof raw === 'string' && /^(\*\.)?[\w-]+(\.[\w-]+)*$/.test(raw) ? raw.toLowerCase() : raw,
    ).filter((host) => {
      if (/^(\*\.)?[\w.-]+$/.test(host)) return true;
      this.error(
        value,
        'config-type',
        `found ${quote(host)}, expected a host name such as api.example.com or *.example.com`,
      );
      return false;
    });
  }

  /** One address or several; a bare port is a number in YAML. */
  private addresses(value: Node | null): string[] {
    return this.items(value, 'an address such as 8080 or 0.0.0.0:8080', (raw) =>
      typeof raw === 'number' ? String(raw) : raw,
    );
  }

  private paths(value: Node | null): string[] {
    return this.texts(value).map((path) => resolve(this.folder, path));
  }

  private texts(value: Node | null): string[] {
    return this.items(value, 'a text or a list of texts', (raw) => raw);
  }

  private items(value: Node | null, expected: string, convert: (raw: RawValue) => RawValue): string[] {
    const nodes = isSeq(value) ? (value.items as Node[]) : [value];
    return nodes.flatMap((node) => {
      const raw = convert(this.plain(node));
      if (typeof raw === 'string' && raw !== '') return [raw];
      this.error(node, 'config-type', `found ${quote(JSON.stringify(raw))}, expected ${expected}`);
      return [];
    });
  }

  private pairs(map: YAMLMap): NamedPair[] {
    return (map.items as Pair<Node, Node | null>[]).map(({ key, value }) => ({
      name: isScalar(key) ? String(key.value) : key.toString(),
      key,
      value: value === null ? null : this.resolved(value),
    }));
  }

  /** Follows an alias (`*name`). */
  private resolved(node: Node): Node {
    return isAlias(node) ? (node.resolve(this.document) ?? node) : node;
  }

  private plain(node: Node | null): RawValue {
    if (node === null) return null;
    try {
      return this.resolved(node).toJS(this.document) as RawValue;
    } catch (error) {
      // yaml's word for an alias without its anchor, and for aliases that multiply beyond measure.
      if (!(error instanceof ReferenceError)) throw error;
      this.error(node, 'config-syntax', `not valid YAML: ${error.message}`);
      return null;
    }
  }

  private error(node: Node | null, code: string, message: string): void {
    this.problems.error({ code, message, place: this.placeOf(node) });
  }

  private placeOf(node: Node | null): SourcePlace {
    const start = node?.range?.[0];
    if (start === undefined) return { file: this.file };
    const { line, col } = this.lines.linePos(start);
    return { file: this.file, line, column: col };
  }
}
