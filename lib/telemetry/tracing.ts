/**
 * Traces: a server span for each request and a client span for its call, by OpenTelemetry's semantic conventions. The SDK is
 * optional and set up by `OTEL_*` of the environment; without it there is no span, and `traceparent` passes through.
 */
import type * as Api from '@opentelemetry/api';
import type { Metadata } from '../exchange.js';
import { header } from '../headers.js';
import { opentelemetry } from '../packages.js';
import { Code, ConfigError } from '../status.js';
import type { TelemetryOptions } from './options.js';
import { type RequestRecord, SilentObserver } from './record.js';
import { QueryRedaction } from './redact.js';

type Environment = Readonly<Record<string, string | undefined>>;

/** Tracing that was started. */
export interface Tracing {
  readonly observer: SilentObserver;
  /** Sends what waits; never rejects. */
  stop(): Promise<void>;
}

/** True if spans are wanted: `auto` goes by the environment. */
export function wantsTraces(tracing: TelemetryOptions['tracing'], environment: Environment): boolean {
  if (tracing !== 'auto') return tracing === 'otlp';
  const exporter = environment['OTEL_TRACES_EXPORTER'];
  if (environment['OTEL_SDK_DISABLED'] === 'true' || exporter === 'none') return false;
  const names = ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'];
  return exporter !== undefined || names.some((name) => environment[name] !== undefined);
}

interface Sdk {
  start(): void;
  shutdown(): Promise<void>;
}

/** Loaded by name, as it need not be installed. */
const SDK_PACKAGE: string = '@opentelemetry/sdk-node';

/**
 * Starts the SDK.
 * @throws ConfigError `no-tracing-sdk`
 */
export async function startTracing(
  options: Pick<TelemetryOptions, 'logRedactQuery'>,
  environment: Environment,
): Promise<Tracing> {
  const { NodeSDK } = await loadSdk();
  const serviceName = environment['OTEL_SERVICE_NAME'] ?? 'photongate';
  const sdk = new NodeSDK({ serviceName, instrumentations: [], metricReaders: [], logRecordProcessors: [] });
  sdk.start();
  return {
    observer: new SpanObserver(options.logRedactQuery),
    stop: () => sdk.shutdown().catch(() => undefined),
  };
}

async function loadSdk(): Promise<{ NodeSDK: new (options: object) => Sdk }> {
  try {
    return (await import(SDK_PACKAGE)) as { NodeSDK: new (options: object) => Sdk };
  } catch (error) {
    throw new ConfigError(
      {
        code: 'no-tracing-sdk',
        message: `traces are wanted, and ${SDK_PACKAGE} cannot be loaded: ${(error as Error).message.split('\n')[0]}`,
        hint: `npm install ${SDK_PACKAGE} beside photongate, or start with --tracing off`,
      },
      { cause: error },
    );
  }
}

interface Spans {
  readonly server: Api.Span;
  client?: Api.Span;
}

class SpanObserver extends SilentObserver {
  private readonly api = opentelemetry();
  private readonly tracer = this.api.trace.getTracer('photongate');
  private readonly redaction: QueryRedaction;
  private readonly spans = new WeakMap<RequestRecord, Spans>();

  constructor(redacted: readonly string[]) {
    super();
    this.redaction = new QueryRedaction(redacted);
  }

  override onRequest(record: RequestRecord): void {
    const { propagation, ROOT_CONTEXT, SpanKind } = this.api;
    const { head, path, query, secure } = record;
    const parent = propagation.extract(ROOT_CONTEXT, head.headers, {
      get: (headers, name) => header(headers, name.toLowerCase()),
      keys: (headers) => headers.filter((_, index) => index % 2 === 0),
    });
    const attributes = {
      'http.request.method': head.method,
      'url.scheme': secure ? 'https' : 'http',
      'url.path': path,
      'url.query': this.redaction.shown(query),
      'client.address': head.caller.address,
      'network.protocol.version': head.httpVersion,
      'user_agent.original': header(head.headers, 'user-agent'),
      'photongate.request_id': head.requestId,
    };
    const server = this.tracer.startSpan(head.method, { kind: SpanKind.SERVER, attributes }, parent);
    record.traceId = server.spanContext().traceId;
    this.spans.set(record, { server });
  }

  override onCall(record: RequestRecord, metadata: Metadata): Metadata {
    const { propagation, ROOT_CONTEXT, SpanKind, trace } = this.api;
    const { rpc, upstream } = record;
    const spans = this.spans.get(record);
    if (spans === undefined || rpc === undefined) return metadata;
    const method = rpc.path.slice(1);
    const attributes = {
      'rpc.system': 'grpc',
      'rpc.service': rpc.service,
      'rpc.method': method.slice(rpc.service.length + 1),
      'server.address': upstream,
    };
    const parent = trace.setSpan(ROOT_CONTEXT, spans.server);
    spans.client = this.tracer.startSpan(method, { kind: SpanKind.CLIENT, attributes }, parent);
    const carrier: Record<string, string> = {};
    propagation.inject(trace.setSpan(ROOT_CONTEXT, spans.client), carrier);
    const kept = metadata.filter(([name]) => !Object.hasOwn(carrier, name) && name !== 'tracestate');
    return [...kept, ...Object.entries(carrier)];
  }

  override onCallEnd(record: RequestRecord): void {
    const span = this.spans.get(record)?.client;
    const { code = Code.UNKNOWN, error } = record;
    span?.setAttribute('rpc.grpc.status_code', code);
    if (code !== Code.OK) span?.setStatus(this.failed(error));
    span?.end();
  }

  override onEnd(record: RequestRecord): void {
    const span = this.spans.get(record)?.server;
    if (span === undefined) return;
    const { head, route, status, outcome, error } = record;
    if (route !== undefined) span.updateName(`${head.method} ${route}`).setAttribute('http.route', route);
    span.setAttribute('http.response.status_code', status);
    // As the conventions have it, an error of the client's is none of the server's.
    if (status >= 500 || outcome === 'aborted') {
      span.setAttribute('error.type', String(status)).setStatus(this.failed(error));
    }
    span.end();
  }

  private failed(message: string | undefined): Api.SpanStatus {
    const code = this.api.SpanStatusCode.ERROR;
    return message === undefined ? { code } : { code, message };
  }
}
