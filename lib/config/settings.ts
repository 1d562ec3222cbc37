/** The members of each level of a configuration file. */
import { resolve } from 'node:path';
import {
  asMap,
  booleanValue,
  checkedText,
  converted,
  field,
  type InputNode,
  type Kind,
  leaf,
  listOf,
  mapOf,
  oneOf,
  oneOrMany,
  OptionError,
  pemValue,
  type Plain,
  printFields,
  type Reader,
  record,
  requiredField,
  shown,
} from '../options/index.js';
import { filtersKind, localRepliesKind, virtualHostsKind } from '../routes/index.js';
import type { NamedCertificate } from '../server/index.js';
import { clustersKind } from './clusters.js';
import type { Reflection, Workers } from './config.js';
import { type LevelOf, levelSchema, printLevel, printProcessOptions, readLevel } from './level.js';
import { methodsKind } from './methods.js';
import { upstreamsKind } from './upstreams.js';

/** Any text of a list. */
const text = checkedText({
  placeholder: 'TEXT',
  description: 'a text or a list of texts',
  code: 'config-type',
  convert: (value) => (value === '' ? undefined : value),
});

const texts = oneOrMany(text);

const paths = oneOrMany<string, string>({
  ...text,
  readNode: (node, reader) => resolve(reader.folder ?? '', text.readNode(node, reader)),
});

/** A descriptor set may be given itself, as a `data:` URL in base64. */
const setPaths = oneOrMany<string, string>({
  ...text,
  readNode(node, reader) {
    const path = text.readNode(node, reader);
    return path.startsWith('data:') ? path : resolve(reader.folder ?? '', path);
  },
});

/** YAML reads a bare port as a number. */
const someAddresses = oneOrMany(
  leaf<string, string | number>({
    description: 'an address such as 8080 or 0.0.0.0:8080',
    code: 'config-type',
    jsonSchema: { type: ['string', 'integer'] },
    unit: '',
    print: (address) => address,
    convert: (raw) => (typeof raw === 'number' ? String(raw) : typeof raw === 'string' && raw !== '' ? raw : undefined),
  }),
);

const addresses: typeof someAddresses = {
  ...someAddresses,
  print: (all) => (all.length === 1 ? all[0]! : all),
};

const hosts = oneOrMany(
  checkedText({
    placeholder: 'NAME',
    description: 'a host name such as api.example.com or *.example.com, without a port',
    code: 'config-type',
    convert: (name) => (/^(\*\.)?[\w-]+(\.[\w-]+)*$/.test(name) ? name.toLowerCase() : undefined),
  }),
);

/** True, false or names of upstreams. */
const reflection = oneOf<Reflection | false, string | readonly string[], boolean>(
  {
    ...texts,
    print: (value) => (typeof value === 'boolean' ? value : [...value]),
  },
  booleanValue,
  (node) => node.kind === 'scalar' && typeof node.value === 'boolean',
);

const MAX_WORKERS = 1024;

/** How many processes serve: a number, or `auto`. */
export const workersValue = leaf<Workers>({
  placeholder: 'N|auto',
  description: `auto, or a whole number from 1 to ${MAX_WORKERS}`,
  jsonSchema: { anyOf: [{ const: 'auto' }, { type: 'integer', minimum: 1, maximum: MAX_WORKERS }] },
  unit: '',
  print: (workers) => workers,
  convert(raw) {
    if (raw === 'auto') return raw;
    const isNumber = typeof raw === 'number' || (typeof raw === 'string' && /^\d{1,4}$/.test(raw));
    const count = isNumber ? Number(raw) : 0;
    return Number.isInteger(count) && count >= 1 && count <= MAX_WORKERS ? count : undefined;
  },
});

/** Members of the top level, of listeners and of mounts. */
const servingFields = {
  services: field(texts, 'services to serve: names, packages or wildcards'),
  rules: field(paths, 'service configs whose http.rules replace annotations'),
  methods: field(methodsKind, 'selectors of RPCs → method options, which replace those of (photongate.http)'),
  upstreams: field(upstreamsKind, 'package or service → target; default is for all others'),
};

/** Settings of any level. */
export type ServingSettings = LevelOf<typeof servingFields>;

const mountFields = {
  path: field(text, 'path prefix; if left out, only the host decides'),
  host: field(hosts, 'host names, or *.example.com'),
  ...servingFields,
};
const { path: _path, ...mapMountFields } = mountFields;

/** Settings of a mount: a path prefix or host names. */
export interface MountSettings extends ServingSettings {
  /** `/chainfire`; '' for the root. */
  readonly prefix: string;
  readonly hosts: readonly string[];
}

function mountOf({ path = '/', host = [], ...serving }: LevelOf<typeof mountFields>): MountSettings {
  if (/^\/(?:[^/?#\s{}*]+(?:\/[^/?#\s{}*]+)*)?$/.test(path))
    return { prefix: path === '/' ? '' : path, hosts: host, ...serving };
  const expected = 'a path prefix such as /chainfire: no wildcard, no slash at its end';
  throw new OptionError(`found ${shown(path)}, expected ${expected}`, 'config-type');
}

const listedMount: Kind<MountSettings, unknown> = {
  unit: '',
  jsonSchema: levelSchema(mountFields, 'mount'),
  readNode(node, reader) {
    const map = asMap(node, 'a mount is a map, such as { path: /chainfire, services: [chainfire.v1] }', reader);
    return mountOf(readLevel(mountFields, map, reader, 'mount'));
  },
  print: ({ prefix, hosts: host, ...serving }) =>
    printLevel(
      mountFields,
      { path: prefix === '' ? '/' : prefix, ...(host.length > 0 && { host }), ...serving },
      'mount',
    ),
};

const namedMount: Kind<MountSettings, unknown> = {
  ...listedMount,
  jsonSchema: levelSchema(mapMountFields, 'mount'),
  readNode(node, reader) {
    const path = reader.name;
    const map = asMap(node, `the mount ${path} is a map, such as { services: [chainfire.v1] }`, reader);
    return mountOf({ ...readLevel(mapMountFields, map, reader, 'mount'), path });
  },
};

const mountMap = mapOf(
  namedMount,
  '"mounts" is a map of path prefixes, such as "/chainfire: { services: [chainfire.v1] }"',
);

/** A map of path prefixes, or a list whose elements have a `path`: for one path under several hosts. */
const mounts = oneOf(
  listOf(listedMount, ''),
  converted(mountMap, {
    read: (entries): readonly MountSettings[] => entries.map(({ value }) => value),
    print: () => [],
  }),
  (node) => node.kind !== 'list',
);

const transcoderFields = { services: servingFields.services, rules: servingFields.rules };

/** Settings of a transcoder that routes name. */
export type TranscoderSettings = LevelOf<typeof transcoderFields>;

const transcoder: Kind<TranscoderSettings, unknown> = {
  unit: '',
  jsonSchema: levelSchema(transcoderFields, 'transcoder'),
  readNode(node, reader) {
    const map = asMap(node, `the transcoder ${reader.name} is a map, such as { services: [chainfire.v1] }`, reader);
    return readLevel(transcoderFields, map, reader, 'transcoder');
  },
  print: (settings) => printLevel(transcoderFields, settings, 'transcoder'),
};

const certificateRecord = record({
  fields: {
    names: field(hosts, 'names that clients ask for. Default: those that the certificate is for'),
    cert: requiredField(pemValue, 'the certificate (PEM)', 'a certificate has cert and key'),
    key: requiredField(pemValue, 'its private key (PEM, no passphrase)', 'a certificate has cert and key'),
  },
  about: 'a certificate',
  expected: 'a certificate is a map such as { cert: FILE, key: FILE }',
  check({ cert, key }) {
    if (cert === undefined || key === undefined) throw new OptionError('a certificate has cert and key', 'config-type');
  },
});

const certificates = converted(listOf(certificateRecord, '"certificates" is a list of { cert: FILE, key: FILE }'), {
  read: (list): readonly NamedCertificate[] => list.map(({ names, cert, key }) => ({ names, cert: cert!, key: key! })),
  print: (list) => list.map(({ names, ...files }) => ({ ...files, ...(names !== undefined && { names }) })),
});

const listenerFields = {
  listen: requiredField(addresses, '[host:]port, one or several', 'this listener has no "listen: [host:]port"'),
  ...servingFields,
  certificates: field(
    certificates,
    'further certificates, by the name that a client asks for; tls_cert is for other clients, and without it they are refused',
  ),
  mounts: field(mounts, 'path prefixes, each with its own services and options'),
  virtual_hosts: field(
    virtualHostsKind,
    'which cluster answers which requests, by host, path, headers and query; calls by /package.Service/Method',
  ),
  transcoders: field(
    mapOf(transcoder, '"transcoders" is a map of names, such as "v2: { services: [shop.v2] }"'),
    'with virtual_hosts: services and options that routes name, in place of those of the listener',
  ),
  filters: field(
    filtersKind,
    'what happens to requests before they are routed, in order: tokens, limits of rate, access rules, faults',
  ),
  local_replies: field(
    localRepliesKind,
    'with virtual_hosts: the form of answers that the proxy makes itself, other than those of gRPC',
  ),
  ignore_host_port: field(booleanValue, 'ports in Host are left out when a virtual host is sought'),
};

/** Settings of a listener: an address, and what it serves. */
export type ListenerSettings = LevelOf<typeof listenerFields>;

const listener: Kind<ListenerSettings, unknown> = {
  unit: '',
  jsonSchema: { ...levelSchema(listenerFields, 'listener') },
  readNode: (node, reader) =>
    readLevel(
      listenerFields,
      asMap(node, 'a listener is a map with "listen: [host:]port"', reader),
      reader,
      'listener',
    ),
  // What the listener itself serves is printed before its mounts.
  print({ mounts: below, ...own }) {
    return {
      ...printLevel(listenerFields, own, 'listener'),
      ...(below !== undefined && { mounts: mounts.print(below) }),
    };
  },
};

const topFields = {
  proto: field(paths, '.proto files, folders or globs whose services are served'),
  proto_path: field(paths, 'folders that are searched for imports'),
  descriptor_set: field(setPaths, 'binary FileDescriptorSets or Buf images, also gzipped; or data:;base64,… itself'),
  reflection: field(
    reflection,
    'upstreams that are asked for their schema: true for all, or their names (default: the one without)',
  ),
  watch: field(booleanValue, 'apply changes of files while running'),
  workers: field(workersValue, 'processes that serve: a number, or auto for one for each core. Default: 1'),
  listen: field(addresses, '[host:]port, one or several'),
  listeners: field(
    listOf(listener, '"listeners" is a list, each element with "listen: [host:]port"'),
    'listeners with settings of their own',
  ),
  clusters: field(clustersKind, 'named sets of endpoints, which virtual_hosts lead to'),
  ...servingFields,
};

/** Given settings, from flags or a file, without defaults. A list replaces the list of an outer level. */
export type Settings = LevelOf<typeof topFields>;

/**
 * Reads the top level.
 * @throws OptionError if it is no map.
 */
export function readSettings(node: InputNode, reader: Reader): Settings {
  const map = asMap(node, 'a configuration is a map of keys, such as "proto: [protos]"', reader);
  const settings = readLevel(topFields, map, reader, 'process');
  if (settings.listen !== undefined && settings.listeners !== undefined) {
    const message = '"listen" and "listeners" are both given; write the addresses in "listeners"';
    reader.error(map.place, 'config-conflict', message);
  }
  return settings;
}

/** As a file has them. */
export function printSettings({ options = {}, ...settings }: Settings): Plain {
  return { ...printFields(topFields, settings), ...printProcessOptions(options) };
}

/** The JSON Schema of the configuration file, for editors. */
export function configJsonSchema(): object {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'photongate configuration',
    ...levelSchema(topFields, 'process'),
  };
}
