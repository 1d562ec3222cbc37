/**
 * Metrics of requests, by the names and buckets of OpenTelemetry's semantic conventions in the form of Prometheus. What is
 * only asked for at a scrape (upstreams, connections, certificates) comes from a source.
 */
import type * as PromClient from 'prom-client';
import type { ChannelStatus, ClusterHostStatus } from '../channel-status.js';
import { promClient } from '../packages.js';
import { exposition, type MetricFamily, OTHER, type Scrape } from './exposition.js';
import { Histogram } from './histogram.js';
import { refusers } from '../status.js';
import { RequestTable } from '../request-table.js';
import { type RequestRecord, SilentObserver } from './record.js';
import { CallSeries, methodName, RequestSeries } from './series.js';

/** A port that is open. */
export interface ListenerStatus {
  readonly url: string;
  readonly connections: number;
  /** Of the certificate in use; undefined without TLS. */
  readonly certificateExpires: Date | undefined;
}

/** What is read at a scrape. */
export interface MetricsSource {
  upstreams(): readonly ChannelStatus[];
  listeners(): readonly ListenerStatus[];
}

const durationBounds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
/** `rpc.client.duration` is in milliseconds and has the default buckets of the SDKs. */
const rpcBounds = [5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10_000];
const sizeBounds = [64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216];

/** Of RFC 9110, PATCH and QUERY; any other is one, as clients may send what they like. */
const knownMethods = new Set(['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'QUERY', 'TRACE']);

/** Counts and times requests and calls for Prometheus. */
export class Metrics extends SilentObserver {
  private readonly registry: PromClient.Registry;
  private readonly requests: RequestSeries;
  private readonly calls: CallSeries;
  private readonly messages: PromClient.Counter;
  private readonly retries: PromClient.Counter;
  private readonly reloads: PromClient.Counter;
  private readonly refusals: PromClient.Counter;
  private readonly policyRefusals: PromClient.Counter;
  private readonly active = new RequestTable<RequestRecord>();
  /** Messages of streams that are counted already, up and down. */
  private readonly counted = new WeakMap<RequestRecord, readonly [number, number]>();

  /** @param maxSeries label sets of each metric of requests; further ones are counted together */
  constructor(version: string, maxSeries: number, source: MetricsSource) {
    super();
    const { collectDefaultMetrics, Counter, Gauge, Registry } = promClient();
    this.registry = new Registry();
    const registers = [this.registry];
    const histogram = (name: string, help: string, bounds: readonly number[]): Histogram =>
      new Histogram({ name, help, bounds }, this.registry);
    this.requests = new RequestSeries(
      maxSeries,
      histogram(
        'http_server_request_duration_seconds',
        'From the head of a request to the end of its answer.',
        durationBounds,
      ),
      histogram(
        'http_server_request_body_size_bytes',
        'Bytes of request bodies, of those that are not empty.',
        sizeBounds,
      ),
      histogram('http_server_response_body_size_bytes', 'Bytes of response bodies.', sizeBounds),
    );
    this.calls = new CallSeries(
      maxSeries,
      histogram('rpc_client_duration_milliseconds', 'From the start of a call to its status.', rpcBounds),
    );
    this.messages = new Counter({
      name: 'photongate_stream_messages_total',
      help: 'Messages of streams; sent: to the service, received: from it.',
      labelNames: ['rpc_service', 'rpc_method', 'direction'],
      registers,
      collect: () => this.countOpenStreams(),
    });
    this.retries = new Counter({
      name: 'photongate_call_retries_total',
      help: 'Attempts of calls after the first one, by the outcome of the call: success or failure.',
      labelNames: ['rpc_service', 'rpc_method', 'outcome'],
      registers,
    });
    this.reloads = new Counter({
      name: 'photongate_config_reloads_total',
      help: 'Reloads of configuration or schema; loaded: it serves, kept: the old one serves on.',
      labelNames: ['outcome'],
      registers,
    });
    // A counter that appears with its first event has no increase that an alert could see.
    for (const outcome of ['loaded', 'kept']) this.reloads.inc({ outcome }, 0);
    this.refusals = new Counter({
      name: 'photongate_refused_requests_total',
      help: 'Requests that could not be read or break a limit of their port; they count in no http_server metric.',
      labelNames: ['reason'],
      registers,
    });
    this.policyRefusals = new Counter({
      name: 'photongate_policy_refusals_total',
      help: 'Requests that a policy or a limit refused, by the name of its option.',
      labelNames: ['reason'],
      registers,
    });
    for (const reason of refusers) this.policyRefusals.inc({ reason }, 0);
    const gauge = (name: string, help: string, labelNames: string[], fill: (gauge: PromClient.Gauge) => void): void => {
      new Gauge({
        name,
        help,
        labelNames,
        registers,
        collect() {
          this.reset();
          fill(this);
        },
      });
    };
    gauge('http_server_active_requests', 'Requests under way.', ['http_request_method'], (all) => {
      for (const record of this.active) all.inc({ http_request_method: methodOf(record) });
    });
    gauge('photongate_active_streams', 'Streaming calls under way.', ['rpc_service', 'rpc_method'], (all) => {
      for (const record of this.active) if (record.isStream) all.inc(rpcLabels(record));
    });
    gauge('photongate_build_info', 'The version that runs.', ['version'], (all) => all.set({ version }, 1));
    const upstream = (name: string, help: string, read: (status: ChannelStatus) => number | undefined): void =>
      gauge(`photongate_upstream_${name}`, help, ['upstream'], (all) => {
        for (const status of source.upstreams()) {
          const value = read(status);
          if (value !== undefined) all.inc({ upstream: status.target }, value);
        }
      });
    upstream('connections', 'Open connections to an upstream.', ({ connections }) => connections);
    upstream('active_calls', 'Calls under way on these connections.', ({ calls }) => calls);
    upstream('queued_calls', 'Calls that wait for a connection.', ({ waiting }) => waiting);
    upstream('failing', '1 if no connection could be made at the last attempt.', ({ problem, state }) =>
      problem === undefined && state !== 'TRANSIENT_FAILURE' ? 0 : 1,
    );
    const ofHosts = (name: string, help: string, read: (host: ClusterHostStatus) => boolean | undefined): void =>
      gauge(`photongate_upstream_${name}`, help, ['cluster', 'upstream'], (all) => {
        for (const { target, hosts = [] } of source.upstreams()) {
          for (const host of hosts) {
            const value = read(host);
            if (value !== undefined) all.set({ cluster: host.cluster, upstream: target }, Number(value));
          }
        }
      });
    ofHosts('healthy', '1 if the last health checks of a server succeeded; 0 also before the first.', ({ health }) =>
      health === undefined ? undefined : health === 'healthy',
    );
    ofHosts('ejected', '1 while a server gets no calls because of its failures.', ({ ejected }) => ejected);
    new Counter({
      name: 'photongate_upstream_retries_total',
      help: 'Calls that were sent again because no service had looked at them.',
      labelNames: ['upstream'],
      registers,
      collect() {
        this.reset();
        for (const { target, retries } of source.upstreams()) {
          if (retries !== undefined) this.inc({ upstream: target }, retries);
        }
      },
    });
    gauge('photongate_open_connections', 'Connections of clients.', ['listener'], (all) => {
      for (const { url, connections } of source.listeners()) all.set({ listener: url }, connections);
    });
    gauge('photongate_tls_certificate_expiry_timestamp_seconds', 'When a certificate expires.', ['listener'], (all) => {
      for (const { url, certificateExpires: expires } of source.listeners()) {
        if (expires !== undefined) all.set({ listener: url }, expires.getTime() / 1000);
      }
    });
    collectDefaultMetrics({ register: this.registry });
  }

  override onRequest(record: RequestRecord): void {
    this.active.add(record);
  }

  override onCallEnd(record: RequestRecord): void {
    const { rpc, code = 0, upstream = '', calledAt, callEndedAt } = record;
    if (rpc === undefined) return;
    this.calls.observe(rpc, upstream, code, callEndedAt - calledAt);
    const { attempts } = record;
    if (attempts > 1) {
      this.retries.inc({ ...rpcLabels(record), outcome: code === 0 ? 'success' : 'failure' }, attempts - 1);
    }
    // An end that comes after that of the request, as of a call that was cancelled with it, is the last that is known.
    if (record.isStream) this.countMessages(record);
  }

  override onEnd(record: RequestRecord): void {
    this.active.delete(record);
    const { route = '', status, bytesIn, bytesOut, traceId } = record;
    const method = methodOf(record);
    const seconds = record.durationMs / 1000;
    this.requests.observe({ method, route, status, seconds, bytesIn, bytesOut, traceId });
    if (record.refusedBy !== undefined) this.policyRefusals.inc({ reason: record.refusedBy });
    if (record.isStream) this.countMessages(record);
  }

  countReload(outcome: string): void {
    this.reloads.inc({ outcome });
  }

  /** @param reason one of few */
  countRefusal(reason: string): void {
    this.refusals.inc({ reason });
  }

  /** Everything as text; OpenMetrics, which has exemplars, if the scraper prefers it. */
  async scrape(accept: string | undefined): Promise<Scrape> {
    return exposition(await this.families(), accept);
  }

  /** Everything as data, which `SummedMetrics` adds up over processes. */
  async families(): Promise<readonly MetricFamily[]> {
    return (await this.registry.getMetricsAsJSON()) as unknown as MetricFamily[];
  }

  /** A stream may be open for days. */
  private countOpenStreams(): void {
    for (const record of this.active) if (record.isStream) this.countMessages(record);
  }

  private countMessages(record: RequestRecord): void {
    const { messagesIn, messagesOut } = record;
    const [sent, received] = this.counted.get(record) ?? [0, 0];
    this.counted.set(record, [messagesIn, messagesOut]);
    const labels = rpcLabels(record);
    this.messages.inc({ ...labels, direction: 'sent' }, messagesIn - sent);
    this.messages.inc({ ...labels, direction: 'received' }, messagesOut - received);
  }
}

function methodOf({ head: { method } }: RequestRecord): string {
  return knownMethods.has(method) ? method : OTHER;
}

/** The names are those of the schema, and so there are not more than it has. */
function rpcLabels({ rpc }: RequestRecord): { rpc_service: string; rpc_method: string } {
  return { rpc_service: rpc?.service ?? '', rpc_method: rpc === undefined ? '' : methodName(rpc) };
}
