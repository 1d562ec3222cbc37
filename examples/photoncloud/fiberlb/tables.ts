/** The eight kinds of resources of FiberLB: their columns and the rules that each holds by itself. */
import { isIP } from 'node:net';
import { quoted } from '../lib/errors.js';
import { enumRule, nameRule, rangeRule, referenceRule, type Rule } from '../lib/rules.js';
import type { ServiceContext } from '../lib/resource-service.js';
import type { Resource, ResourceKind, ResourceTable } from '../lib/resources.js';
import { pemRules } from './certificates.js';
import type * as message from './messages.js';
import { Regex, RegexError } from './regex.js';

/** All tables. */
export interface Tables {
  readonly loadBalancers: ResourceTable<message.LoadBalancer>;
  readonly listeners: ResourceTable<message.Listener>;
  readonly pools: ResourceTable<message.Pool>;
  readonly backends: ResourceTable<message.Backend>;
  readonly healthChecks: ResourceTable<message.HealthCheck>;
  readonly policies: ResourceTable<message.L7Policy>;
  readonly rules: ResourceTable<message.L7Rule>;
  readonly certificates: ResourceTable<message.Certificate>;
}

const longestValue = 1024;

/** Makes the tables where they are not there yet. */
export function fiberLbTables(context: ServiceContext): Tables {
  const table = <T extends Resource>(type: string, kind: Omit<ResourceKind<T>, 'codec' | 'table'>): ResourceTable<T> =>
    context.table<T>(type, { table: `fiberlb_${type.toLowerCase()}`, ...kind });
  return {
    loadBalancers: table<message.LoadBalancer>('LoadBalancer', {
      noun: 'load balancer',
      columns: { org_id: (each) => each.org_id, project_id: (each) => each.project_id, name: (each) => each.name },
      unique: ['org_id', 'project_id', 'name'],
      changeable: ['name', 'vip'],
      fixed: ['org_id', 'project_id'],
      rules: ({ name, org_id, project_id, vip }) => [
        nameRule('name', name),
        nameRule('org_id', org_id),
        nameRule('project_id', project_id),
        ['vip', vip === '' || isIP(vip) !== 0, `is ${quoted(vip)}, expected an IP address`],
      ],
    }),
    listeners: table<message.Listener>('Listener', {
      noun: 'listener',
      columns: {
        loadbalancer_id: (each) => each.loadbalancer_id,
        name: (each) => each.name,
        port: (each) => each.port,
        default_pool_id: (each) => each.default_pool_id || null,
        certificate_id: (each) => each.certificate_id || null,
      },
      unique: ['loadbalancer_id', 'name'],
      changeable: ['name', 'protocol', 'port', 'default_pool_id', 'certificate_id'],
      fixed: ['loadbalancer_id'],
      rules: ({ name, loadbalancer_id, protocol, port, certificate_id }) => [
        nameRule('name', name),
        referenceRule('loadbalancer_id', loadbalancer_id),
        enumRule('protocol', protocol, ['HTTP', 'HTTPS', 'TCP']),
        rangeRule('port', port, 1, 65_535),
        ['certificate_id', certificate_id === '' || protocol === 'HTTPS', `is for HTTPS, not for ${protocol}`],
      ],
    }),
    pools: table<message.Pool>('Pool', {
      noun: 'pool',
      columns: { loadbalancer_id: (each) => each.loadbalancer_id, name: (each) => each.name },
      unique: ['loadbalancer_id', 'name'],
      changeable: ['name', 'algorithm'],
      fixed: ['loadbalancer_id'],
      rules: ({ name, loadbalancer_id, algorithm }) => [
        nameRule('name', name),
        referenceRule('loadbalancer_id', loadbalancer_id),
        enumRule('algorithm', algorithm, ['ROUND_ROBIN', 'LEAST_CONNECTIONS', 'SOURCE_IP']),
      ],
    }),
    backends: table<message.Backend>('Backend', {
      noun: 'backend',
      columns: { pool_id: (each) => each.pool_id, name: (each) => each.name },
      unique: ['pool_id', 'name'],
      changeable: ['name', 'address', 'port', 'weight'],
      fixed: ['pool_id'],
      rules: ({ name, address, port, weight }) => [
        nameRule('name', name),
        addressRule(address),
        rangeRule('port', port, 1, 65_535),
        rangeRule('weight', weight, 0, 1000),
      ],
    }),
    healthChecks: table<message.HealthCheck>('HealthCheck', {
      noun: 'health check',
      columns: { pool_id: (each) => each.pool_id, name: (each) => each.name },
      unique: ['pool_id', 'name'],
      changeable: ['name', 'type', 'path', 'interval_seconds', 'healthy_threshold', 'unhealthy_threshold'],
      fixed: ['pool_id'],
      rules: ({ name, pool_id, type, path, interval_seconds, healthy_threshold, unhealthy_threshold }) => [
        nameRule('name', name),
        referenceRule('pool_id', pool_id),
        enumRule('type', type, ['HTTP', 'TCP']),
        ['path', path === '' || isPath(path), `is ${quoted(path)}, expected one such as /health`],
        rangeRule('interval_seconds', interval_seconds, 1, 86_400),
        rangeRule('healthy_threshold', healthy_threshold, 1, 100),
        rangeRule('unhealthy_threshold', unhealthy_threshold, 1, 100),
      ],
    }),
    policies: table<message.L7Policy>('L7Policy', {
      noun: 'L7 policy',
      columns: {
        listener_id: (each) => each.listener_id,
        name: (each) => each.name,
        pool_id: (each) => each.pool_id || null,
        position: (each) => each.position,
      },
      unique: ['listener_id', 'name'],
      changeable: ['name', 'action', 'pool_id', 'redirect_url', 'position'],
      fixed: ['listener_id'],
      rules: ({ name, listener_id, action, pool_id, redirect_url, position }) => [
        nameRule('name', name),
        referenceRule('listener_id', listener_id),
        enumRule('action', action, ['REDIRECT', 'REJECT', 'FORWARD_POOL']),
        ['pool_id', action !== 'FORWARD_POOL' || pool_id !== '', 'is missing or empty, and FORWARD_POOL needs it'],
        ['redirect_url', action !== 'REDIRECT' || redirect_url !== '', 'is missing or empty, and REDIRECT needs it'],
        redirectRule(redirect_url),
        rangeRule('position', position, 0, 2 ** 31 - 1),
      ],
    }),
    rules: table<message.L7Rule>('L7Rule', {
      noun: 'L7 rule',
      columns: { policy_id: (each) => each.policy_id },
      changeable: ['type', 'compare', 'key', 'value', 'invert'],
      fixed: ['policy_id'],
      rules: (rule) => [
        enumRule('type', rule.type, ['HOST', 'PATH', 'HEADER', 'COOKIE']),
        enumRule('compare', rule.compare, ['EQUALS', 'STARTS_WITH', 'ENDS_WITH', 'CONTAINS', 'REGEX']),
        keyRule(rule),
        valueRule(rule),
      ],
    }),
    certificates: table<message.Certificate>('Certificate', {
      noun: 'certificate',
      columns: { name: (each) => each.name },
      unique: ['name'],
      changeable: ['name', 'certificate', 'private_key'],
      fixed: [],
      rules: (certificate) => [nameRule('name', certificate.name), ...pemRules(certificate)],
    }),
  };
}

function addressRule(address: string): Rule {
  const labels = address.split('.');
  const isName =
    address.length <= 253 &&
    !/^[0-9.]+$/.test(address) &&
    labels.every((label) => /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/i.test(label));
  return ['address', isIP(address) !== 0 || isName, `is ${quoted(address)}, expected an IP address or a host name`];
}

/** As it may stand in a request line. */
function isPath(path: string): boolean {
  return /^\/[!-~]{0,2047}$/.test(path);
}

function redirectRule(url: string): Rule {
  const good =
    url === '' || isPath(url) || (url.length <= 2048 && /^https?:\/\/[!-~]+$/.test(url) && URL.canParse(url));
  return ['redirect_url', good, `is ${quoted(url)}, expected an http or https URL, or a path that begins with /`];
}

function keyRule({ type, key }: message.L7Rule | Omit<message.L7Rule, keyof Resource>): Rule {
  if (type !== 'HEADER' && type !== 'COOKIE') {
    return ['key', key.length <= 128, 'has more than 128 characters'];
  }
  const holds = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/.test(key);
  return ['key', holds, `is ${quoted(key)}, expected the name of the ${type.toLowerCase()}`];
}

function valueRule({ compare, value }: Omit<message.L7Rule, keyof Resource>): Rule {
  if (value === '') return ['value', false, 'is missing or empty'];
  if (value.length > longestValue) return ['value', false, `is longer than ${longestValue} characters`];
  if (compare !== 'REGEX') return ['value', true, ''];
  try {
    new Regex(value);
    return ['value', true, ''];
  } catch (error) {
    if (!(error instanceof RegexError)) throw error;
    return ['value', false, `as a regular expression ${error.message}`];
  }
}
