/**
 * The pages of Envoy's admin listener that have a plain meaning here, under Envoy's names: made from our own pages, so that they
 * say the same wherever those come from. What is read of them is kept; how Envoy counts and what it calls its counters is not.
 */
import type { ChannelStatus, ClusterHostStatus } from '../channel-status.js';
import { packageVersion } from '../installation.js';
import { monotonicMs } from '../clock.js';
import { yaml } from '../packages.js';
import { compilePattern } from '../pattern.js';
import { OptionError } from '../options/index.js';
import { StatusError } from '../status.js';
import { envoyLevels, type LogLevel, logLevels } from '../telemetry/index.js';
import { quote } from '../uri.js';
import type { AdminPage, AdminPages, AdminReply, AdminRequest } from './server.js';

/** What these pages can do besides telling. */
export interface EnvoyActions {
  /** Ends the process as SIGTERM does. */
  quit(): void;
  /** Takes no more requests; the process stays. */
  drainListeners(): void;
  /** From now on load balancers are told to send nothing, or to send again. */
  setHealthy(isHealthy: boolean): void;
  /** The base URLs of the listeners. */
  urls(): readonly string[];
}

/** The pages with those of Envoy. */
export function withEnvoyPages(pages: AdminPages, actions: EnvoyActions): AdminPages {
  const own = new EnvoyPages(pages, actions);
  const index: AdminPage = async (request) => {
    const { body } = await own.ask('GET /', request);
    const lines = Object.entries(texts).map(([name, text]) => `${name.padEnd(30)} ${text}\n`);
    return { body: `${textOf(body)}\nas in Envoy:\n${lines.join('')}` };
  };
  return new Map<string, AdminPage>([...pages, ...own.pages, ['GET /', index], ['GET /help', index]]);
}

const texts: Readonly<Record<string, string>> = {
  'GET /ready': 'LIVE, or 503',
  'GET /stats': 'metrics as text; ?format=json, ?format=prometheus, ?filter=REGEX, ?usedonly',
  'GET /stats/prometheus': '/metrics',
  'GET /clusters': 'endpoints; ?format=json',
  'GET /listeners': 'addresses; ?format=json',
  'GET /config_dump': '/config as JSON',
  'GET /server_info': 'version, state, uptime',
  'POST /logging?level=LEVEL': '/log-level',
  'POST /quitquitquit': 'as SIGTERM',
  'POST /healthcheck/fail': 'health checks and /ready fail',
  'POST /healthcheck/ok': 'and succeed again',
  'POST /drain_listeners?graceful': 'no more requests are taken',
};

/** Ours, by our names and by Envoy's. */
const levels: ReadonlyMap<string, LogLevel> = new Map<string, LogLevel>([
  ...logLevels.map((level) => [level, level] as const),
  ...envoyLevels,
]);

type State = 'LIVE' | 'DRAINING' | 'INITIALIZING';

class EnvoyPages {
  private readonly startedAt = monotonicMs();
  /** An operator has said so. */
  private isLeaving = false;

  readonly pages: ReadonlyMap<string, AdminPage> = new Map<string, AdminPage>([
    ['GET /ready', () => this.ready()],
    ['GET /stats', (request) => this.stats(request)],
    ['GET /stats/prometheus', (request) => this.ask('GET /metrics', request)],
    ['GET /clusters', (request) => this.clusters(request)],
    ['GET /listeners', (request) => this.listeners(request)],
    ['GET /config_dump', async () => ({ body: { configs: [await this.config()] } })],
    ['GET /server_info', async () => ({ body: await this.serverInfo() })],
    ['POST /logging', (request) => this.logging(request)],
    ['POST /quitquitquit', () => this.leave(() => this.actions.quit())],
    ['POST /healthcheck/fail', () => this.leave(() => this.actions.setHealthy(false))],
    ['POST /healthcheck/ok', () => this.stay()],
    ['POST /drain_listeners', (request) => this.drain(request)],
  ]);

  constructor(
    private readonly base: AdminPages,
    private readonly actions: EnvoyActions,
  ) {}

  /** One of our own pages. */
  async ask(name: string, request: AdminRequest = NOTHING): Promise<AdminReply> {
    const page = this.base.get(name);
    if (page === undefined) throw new TypeError(`there is no ${name}`);
    return page(request);
  }

  private async state(): Promise<State> {
    const { status = 200 } = await this.ask('GET /readyz');
    if (status === 200) return 'LIVE';
    return this.isLeaving ? 'DRAINING' : 'INITIALIZING';
  }

  private async ready(): Promise<AdminReply> {
    const state = await this.state();
    return { status: state === 'LIVE' ? 200 : 503, body: `${state}\n` };
  }

  private async stats(request: AdminRequest): Promise<AdminReply> {
    const query = new URLSearchParams(request.query);
    const format = query.get('format') ?? 'text';
    if (format === 'prometheus') return this.ask('GET /metrics', request);
    if (format !== 'text' && format !== 'json') {
      throw StatusError.http(400, `found ${quote(format)}, expected a format of text, json and prometheus`);
    }
    const isWanted = filterOf(query.get('filter'));
    const { body } = await this.ask('GET /metrics', NOTHING);
    const samples = samplesOf(textOf(body)).filter(
      ({ name, value }) => isWanted(name) && (!query.has('usedonly') || value !== 0),
    );
    if (format === 'json') return { body: { stats: samples } };
    return { body: samples.map(({ name, value }) => `${name}: ${value}\n`).join('') };
  }

  private async clusters({ query }: AdminRequest): Promise<AdminReply> {
    const clusters = (await this.config())['clusters'] as Clusters | undefined;
    const { body } = await this.ask('GET /upstreams');
    const all = body as readonly ChannelStatus[];
    const status = new Map(all.map((one) => [one.target, one]));
    const hosts = Object.entries(clusters ?? {}).map(([name, { endpoints }]) => {
      const known = all.flatMap((one) => (one.hosts ?? []).flatMap((host) => serverOf(name, host, one)));
      return { name, hosts: known.length > 0 ? known : [endpoints].flat().map((endpoint) => hostOf(endpoint, status)) };
    });
    return wantsJson(query) ? { body: clustersJson(hosts) } : { body: clustersText(hosts) };
  }

  private listeners({ query }: AdminRequest): AdminReply {
    const addresses = this.actions.urls().map((url) => new URL(url));
    if (!wantsJson(query)) {
      return { body: addresses.map((url, index) => `listener_${index}::${addressOf(url)}\n`).join('') };
    }
    const statuses = addresses.map((url, index) => {
      return { name: `listener_${index}`, local_address: socketAddress(addressOf(url)) };
    });
    return { body: { listener_statuses: statuses } };
  }

  private async config(): Promise<Readonly<Record<string, unknown>>> {
    const { body } = await this.ask('GET /config');
    return yaml().parse(textOf(body)) as Readonly<Record<string, unknown>>;
  }

  private async serverInfo(): Promise<object> {
    const uptime = `${Math.floor((monotonicMs() - this.startedAt) / 1000)}s`;
    return {
      version: `photongate/${packageVersion()}`,
      state: await this.state(),
      hot_restart_version: 'disabled',
      uptime_current_epoch: uptime,
      uptime_all_epochs: uptime,
    };
  }

  private async logging({ query }: AdminRequest): Promise<AdminReply> {
    const given = [...new URLSearchParams(query)];
    for (const [name, value] of given) {
      if (name !== 'level') {
        throw StatusError.http(400, `there is one logger and no ${quote(name)}; write /logging?level=debug`);
      }
      const level = levels.get(value);
      if (level === undefined) {
        throw StatusError.http(400, `found ${quote(value)}, expected one of ${[...levels.keys()].join(', ')}`);
      }
      await this.ask('PUT /log-level', { ...NOTHING, body: level });
    }
    const { body } = await this.ask('GET /log-level');
    return { body: `active loggers:\n  photongate: ${textOf(body)}` };
  }

  /** The answer goes out first. */
  private leave(step: () => void): AdminReply {
    this.isLeaving = true;
    setImmediate(step);
    return { body: 'OK\n' };
  }

  private stay(): AdminReply {
    this.isLeaving = false;
    this.actions.setHealthy(true);
    return { body: 'OK\n' };
  }

  private drain({ query }: AdminRequest): AdminReply {
    if (new URLSearchParams(query).has('inboundonly')) {
      throw StatusError.http(400, 'listeners have no direction here; leave inboundonly out');
    }
    return this.leave(() => this.actions.drainListeners());
  }
}

/** Of a page that is a text. */
function textOf(body: AdminReply['body']): string {
  if (typeof body === 'string') return body;
  throw new TypeError('the page is no text');
}

/** What a page is asked with that reads nothing of it. */
const NOTHING: AdminRequest = { accept: undefined, body: '', query: undefined };

function wantsJson(query: string | undefined): boolean {
  return new URLSearchParams(query).get('format') === 'json';
}

/** @throws StatusError 400 */
function filterOf(filter: string | null): (name: string) => boolean {
  if (filter === null) return () => true;
  try {
    const pattern = compilePattern(filter);
    return (name) => pattern.matcher(name).find();
  } catch (error) {
    if (error instanceof OptionError) throw StatusError.http(400, error.message);
    throw error;
  }
}

/** Of the text format of Prometheus: `name{label="value"} 1`. */
function samplesOf(text: string): { readonly name: string; readonly value: number }[] {
  return text.split('\n').flatMap((line) => {
    const [, name, value] = /^([^#\s{][^\s{]*(?:\{.*\})?) (\S+)/.exec(line) ?? [];
    return name === undefined ? [] : [{ name, value: Number(value) }];
  });
}

/** As `/config` has them. */
type Clusters = Readonly<Record<string, { readonly endpoints: Endpoint | readonly Endpoint[] }>>;
type Endpoint = string | { readonly target: string; readonly weight?: number };

interface Host {
  readonly address: string;
  readonly weight: number;
  readonly priority: number;
  /** Undefined where only HTTP/1 is spoken. */
  readonly status: ChannelStatus | undefined;
  /** What is known of it as a server of the cluster; undefined: the cluster has one channel. */
  readonly judged?: ClusterHostStatus;
}

function serverOf(cluster: string, judged: ClusterHostStatus, status: ChannelStatus): Host[] {
  if (judged.cluster !== cluster) return [];
  const address = status.target.replace(/^dns:\/\/\//, '');
  return [{ address, weight: judged.weight, priority: judged.priority, status, judged }];
}

function hostOf(endpoint: Endpoint, statuses: ReadonlyMap<string, ChannelStatus>): Host {
  const { target, weight = 1 } = typeof endpoint === 'string' ? { target: endpoint } : endpoint;
  return { address: target.replace(/^dns:\/\/\//, ''), weight, priority: 0, status: statuses.get(target) };
}

/** In Envoy's words, with what of them is true here. */
function healthFlags({ status, judged }: Host): string[] {
  const isFailing = judged?.health === undefined ? status?.state === 'TRANSIENT_FAILURE' : judged.health !== 'healthy';
  return [
    ...(isFailing ? ['failed_active_hc'] : []),
    ...(judged?.health === 'unchecked' ? ['pending_active_hc'] : []),
    ...(judged?.ejected === true ? ['failed_outlier_check'] : []),
  ];
}

/** grpc-js does not tell its connections. */
function gaugesOf({ status }: Host): Readonly<Record<string, number>> {
  if (status === undefined) return {};
  const { connections, calls } = status;
  return { ...(connections !== undefined && { cx_active: connections }), rq_active: calls };
}

interface ClusterHosts {
  readonly name: string;
  readonly hosts: readonly Host[];
}

function clustersText(clusters: readonly ClusterHosts[]): string {
  const lines = clusters.flatMap(({ name, hosts }) => [
    `${name}::observability_name::${name}`,
    ...hosts.flatMap((host) => {
      const { address, weight, priority } = host;
      const flags = healthFlags(host);
      const facts = {
        ...gaugesOf(host),
        health_flags: flags.length === 0 ? 'healthy' : flags.map((flag) => `/${flag}`).join(''),
        weight,
        priority,
      };
      return Object.entries(facts).map(([fact, value]) => `${name}::${address}::${fact}::${value}`);
    }),
  ]);
  return lines.map((line) => `${line}\n`).join('');
}

function clustersJson(clusters: readonly ClusterHosts[]): object {
  const hostJson = (host: Host): object => {
    const { address, weight, priority } = host;
    const flags = healthFlags(host);
    const gauges = gaugesOf(host);
    return {
      address: socketAddress(address),
      stats: Object.entries(gauges).map(([name, value]) => ({ type: 'GAUGE', value: String(value), name })),
      health_status: {
        ...(flags.length === 0 && { eds_health_status: 'HEALTHY' }),
        ...(flags.includes('failed_active_hc') && { failed_active_health_check: true }),
        ...(flags.includes('pending_active_hc') && { pending_active_hc: true }),
        ...(flags.includes('failed_outlier_check') && { failed_outlier_check: true }),
      },
      weight,
      priority,
    };
  };
  return {
    cluster_statuses: clusters.map(({ name, hosts }) => ({
      name,
      observability_name: name,
      host_statuses: hosts.map(hostJson),
    })),
  };
}

/** `127.0.0.1:8080`. */
function addressOf({ protocol, hostname, port }: URL): string {
  return `${hostname}:${port === '' ? (protocol === 'https:' ? '443' : '80') : port}`;
}

/** `127.0.0.1:8080` → as Envoy's JSON has it. */
function socketAddress(address: string): object {
  const [, host, port] = /^(.*):(\d+)$/.exec(address) ?? [];
  if (host === undefined) return { pipe: { path: address } };
  return { socket_address: { address: host.replace(/^\[(.*)\]$/, '$1'), port_value: Number(port) } };
}
