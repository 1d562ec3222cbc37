/** `upstreams`: which gRPC server provides which services, and how it is reached. */
import {
  booleanValue,
  checkedText,
  converted,
  enumValue,
  field,
  type InputNode,
  type Kind,
  type KindValue,
  mapOf,
  oneOf,
  OptionError,
  pickFields,
  record,
  requiredField,
  snakeCase,
} from '../options/index.js';
import { ConfigError } from '../status.js';
import {
  balanceFields,
  balancingPolicies,
  type ClusterBalancing,
  grpcHealthCheck,
  isSrv,
  isXds,
  parseTarget,
  parseUpstream,
  type ServiceConfig,
  serviceConfigKind,
  upstreamCallOptions,
  type UpstreamSpec,
  type UpstreamTls,
  upstreamTlsFields,
} from '../upstream/index.js';
import { packageVersion } from '../installation.js';
import { isInstalled } from '../packages.js';
import type { Config, MountConfig } from './config.js';
import type { Options } from './options.js';

const tlsRecord = record({
  fields: upstreamTlsFields,
  about: '"tls"',
  prefix: 'tls.',
  expected: '"tls" is true, false or a map such as { ca: FILE }',
});
const tlsSwitch = converted(booleanValue, {
  read: (on): UpstreamTls | false => on && {},
  print: (tls) => tls !== false,
});
const isSwitch = (node: InputNode): boolean => node.kind === 'scalar' && typeof node.value === 'boolean';

/** True, false or a map of files. */
export const upstreamTlsKind: Kind<UpstreamTls | false, unknown> = {
  ...oneOf<UpstreamTls | false, unknown, unknown>(
    { ...tlsRecord, print: (tls) => tlsSwitch.print(tls) },
    tlsSwitch,
    isSwitch,
  ),
  print: (tls) =>
    tls === false || Object.values(tls).every((value) => value === undefined) ? tls !== false : tlsRecord.print(tls),
};

const targetText = checkedText({
  placeholder: 'TARGET',
  description: 'a target such as 127.0.0.1:50051',
  code: 'config-type',
  convert: (text) => text,
});

const targetExpected = (name: string): string => `the upstream of ${name} is a target such as 127.0.0.1:50051`;

const targetFields = {
  target: requiredField(targetText, '', targetExpected),
  tls: field(upstreamTlsKind, ''),
  load_balancing_policy: field(
    enumValue(...balancingPolicies),
    'for a target with several addresses. Default: the option of the mount',
  ),
  ...balanceFields,
  service_config: field(
    serviceConfigKind,
    'a gRPC service config, or the path of its JSON file; what stands beside it goes before it',
  ),
};

const targetRecord = record({
  fields: targetFields,
  about: 'an upstream',
  check({ loadBalancingPolicy: policy, hashHeader }) {
    if ((policy === 'ring_hash') !== (hashHeader !== undefined)) {
      throw new OptionError('load_balancing_policy: ring_hash and hash_header go together', 'config-type');
    }
  },
  expected: targetExpected,
});

type TargetSettings = KindValue<typeof targetRecord>;

/** One upstream under its name. */
const namedUpstream: Kind<UpstreamSpec, unknown> = {
  unit: '',
  jsonSchema: { anyOf: [targetText.jsonSchema, targetRecord.jsonSchema] },
  readNode(node, reader) {
    const isText = node.kind === 'scalar' && typeof node.value === 'string';
    const given = isText ? { target: targetText.readNode(node, reader) } : targetRecord.readNode(node, reader);
    const { target, ...others } = given;
    const { tls, serviceConfig, ...balance }: Omit<TargetSettings, 'target'> = others;
    return {
      ...parseUpstream(reader.name === 'default' ? target : `${reader.name}=${target}`),
      ...(tls !== undefined && { tls }),
      ...(serviceConfig !== undefined && { serviceConfig }),
      ...(Object.keys(balance).length > 0 && { balance }),
    };
  },
  print({ target, tls, serviceConfig, balance }) {
    const others = {
      ...(tls !== undefined && { tls }),
      ...balance,
      ...(serviceConfig !== undefined && { serviceConfig }),
    };
    return Object.keys(others).length === 0 ? target : targetRecord.print({ target, ...others });
  },
};

const upstreamMap = converted(mapOf(namedUpstream, '"upstreams" is a map such as "chainfire.v1: 127.0.0.1:50051"'), {
  read: (entries): readonly UpstreamSpec[] => entries.map(({ value }) => value),
  print: (specs) => specs.map((value) => ({ name: value.name ?? 'default', place: undefined, value })),
});

/** A map of `package or service: target`, with `default` for the rest; or one target. */
export const upstreamsKind = oneOf(
  upstreamMap,
  converted(targetText, { read: (text): readonly UpstreamSpec[] => [parseUpstream(text)], print: () => '' }),
  (node) => node.kind === 'scalar' && typeof node.value === 'string',
);

/**
 * TLS options of upstreams that have none of their own; undefined: cleartext.
 * @throws ConfigError `tls-off` if another TLS option is given without `upstream_tls`.
 */
function upstreamTlsOf(options: Options): UpstreamTls | undefined {
  const { upstreamTls, upstreamCa: ca, upstreamCert: cert, upstreamKey: key, upstreamAuthority: authority } = options;
  const tls = { ca, cert, key, authority };
  if (upstreamTls) return tls;
  const given = Object.entries(tls).find(([, value]) => value !== undefined)?.[0];
  if (given === undefined) return undefined;
  throw new ConfigError({
    code: 'tls-off',
    message: `upstream_${given} is given, but upstream_tls is not, and upstreams are reached in cleartext`,
    hint: `write --upstream-tls (upstream_tls: true), or leave upstream_${given} out`,
  });
}

/**
 * The upstreams of a mount, completed with its options.
 * @throws ConfigError `tls-off`, `srv-client`, `xds-client`, `grpc-js-balancing`
 */
export function upstreamSpecsOf({ upstreams, options }: MountConfig): UpstreamSpec[] {
  if (upstreams.length > 0 && options.upstreamClient === 'grpc-js') requireGrpcJs();
  const userAgent = `photongate/${packageVersion()}`;
  const tls = upstreamTlsOf(options);
  return upstreams.map(({ balance, serviceConfig, ...spec }) => {
    checkClient(spec.target, options);
    const policy = balance?.loadBalancingPolicy === undefined ? simplePolicyOf(serviceConfig) : undefined;
    const own = policy === undefined ? options : { ...options, loadBalancingPolicy: policy };
    const balancing = balancingOf(balanceWith(balance, serviceConfig), own, spec.target);
    const call = { ...pickFields(upstreamCallOptions, own), userAgent, tls, serviceConfig };
    return { ...spec, options: balancing === undefined ? call : { ...call, balancing } };
  });
}

/** The policy of a service config, if every client knows it. */
function simplePolicyOf(config: ServiceConfig | undefined): 'pick_first' | 'round_robin' | undefined {
  const policy = config?.policy;
  return policy === 'pick_first' || policy === 'round_robin' ? policy : undefined;
}

/** What an upstream says goes before its service config. */
function balanceWith(balance: UpstreamSpec['balance'], config: ServiceConfig | undefined): UpstreamSpec['balance'] {
  if (config === undefined) return balance;
  const { policy, healthService } = config;
  return {
    ...(policy !== undefined && simplePolicyOf(config) === undefined && { loadBalancingPolicy: policy }),
    ...(healthService !== undefined && { healthCheck: grpcHealthCheck(healthService) }),
    ...balance,
  };
}

function requireGrpcJs(): void {
  if (isInstalled('@grpc/grpc-js')) return;
  throw new ConfigError({
    code: 'grpc-js-missing',
    message: 'upstream_client: grpc-js needs the package @grpc/grpc-js, which is not installed',
    hint: 'npm install @grpc/grpc-js beside photongate, or leave out upstream_client',
  });
}

/** @throws ConfigError `srv-client`, `xds-client` */
function checkClient(target: string, { upstreamClient }: Options): void {
  const parsed = parseTarget(target);
  if (upstreamClient === 'grpc-js' && isSrv(parsed)) {
    throw new ConfigError({
      code: 'srv-client',
      message: `upstream_client: grpc-js does not ask for SRV records, and the upstream ${target} has its addresses there`,
      hint: 'leave out upstream_client, or write dns:///host:port',
    });
  }
  if (upstreamClient === 'grpc-js' || !isXds(parsed)) return;
  throw new ConfigError({
    code: 'xds-client',
    message: `the upstream ${target} has its addresses from a control plane (xDS), which upstream_client: ${upstreamClient} cannot ask`,
    hint: 'write --upstream-client grpc-js (upstream_client: grpc-js)',
  });
}

/**
 * Undefined: one channel does it alone.
 * @throws ConfigError `grpc-js-balancing`
 */
function balancingOf(
  balance: UpstreamSpec['balance'] = {},
  { loadBalancingPolicy, upstreamClient }: Options,
  target: string,
): ClusterBalancing | undefined {
  const { loadBalancingPolicy: policy = loadBalancingPolicy, ...settings } = balance;
  // Records have weights and priorities, which a channel does not know.
  const hasRanks = policy !== 'pick_first' && isSrv(parseTarget(target));
  const isSimple = policy === loadBalancingPolicy && (policy === 'pick_first' || policy === 'round_robin') && !hasRanks;
  if (isSimple && Object.keys(settings).length === 0) return undefined;
  if (upstreamClient === 'native') return { policy, ...settings };
  const given = snakeCase(Object.keys(settings)[0] ?? `load_balancing_policy: ${policy}`);
  throw new ConfigError({
    code: 'grpc-js-balancing',
    message: `upstream_client: grpc-js knows no ${given}, which the upstream ${target} has`,
    hint: 'leave out upstream_client, or write load_balancing_policy: pick_first or round_robin and no checks of servers',
  });
}

/** True if the configuration has neither upstreams nor clusters: then only its protos and rules can be looked at. */
export function namesNoUpstream({ listeners, clusters = [] }: Pick<Config, 'listeners' | 'clusters'>): boolean {
  const mounts = listeners.flatMap((listener) => [listener.root, ...listener.mounts]);
  return clusters.length === 0 && mounts.every(({ upstreams }) => upstreams.length === 0);
}
