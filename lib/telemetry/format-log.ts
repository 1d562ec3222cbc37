/**
 * The access log in a form that its owner writes, with the commands of Envoy: `%REQ(:METHOD)% %RESPONSE_CODE%`. As in Envoy,
 * `:method` and `:path` of a request that was transcoded are those of the call; what the client sent is in
 * `x-envoy-original-method` and `x-envoy-original-path`.
 */
import { monotonicMs, wallClock } from '../clock.js';
import { type CommandContext, compileFormat, type LogFormat } from '../commands.js';
import { header } from '../headers.js';
import { codeText } from '../status.js';
import { AccessLog, type AccessLogOptions } from './access-log.js';
import type { LineSink } from './log.js';
import type { RequestRecord } from './record.js';
import type { QueryRedaction } from './redact.js';

export class FormatAccessLog extends AccessLog {
  private readonly line: (context: CommandContext) => string;

  constructor(
    options: AccessLogOptions,
    { format, omitsEmpty }: { readonly format: LogFormat; readonly omitsEmpty: boolean },
    private readonly sink: LineSink,
    random: () => number = Math.random,
  ) {
    super(options, random);
    this.line = compileFormat(format, omitsEmpty);
  }

  protected write(record: RequestRecord): void {
    this.sink(this.line(contextOf(record, this.redaction)));
  }
}

function contextOf(record: RequestRecord, redaction: QueryRedaction): CommandContext {
  const { head, secure, rpc, protocol, peer, status, code } = record;
  const path = shownTarget(record, redaction);
  const isTranscoded = rpc !== undefined && protocol === 'http';
  return {
    request: head.headers,
    pseudo: {
      ':method': isTranscoded ? 'POST' : head.method,
      ':path': isTranscoded ? rpc.path : path,
      ':authority': header(head.headers, 'host') ?? '',
      ':scheme': secure ? 'https' : 'http',
      ...(isTranscoded && { 'x-envoy-original-path': path, 'x-envoy-original-method': head.method }),
      'x-request-id': head.requestId,
      ...forwardedFor(record),
    },
    protocol: `HTTP/${head.httpVersion}`,
    remoteAddress: head.caller.address,
    remotePort: peer.port,
    cluster: record.cluster ?? '',
    response: { status, headers: record.responseHeaders },
    ended: {
      startedAt: new Date(wallClock().getTime() - (monotonicMs() - record.startedAt)),
      durationMs: record.durationMs,
      requestMs: since(record.startedAt, record.calledAt),
      responseMs: since(record.startedAt, record.answeredAt),
      bytesIn: record.bytesIn,
      bytesOut: record.bytesOut,
      upstream: record.upstream,
      routeName: record.routeName,
      code: code === undefined ? undefined : codeText(code),
      codeNumber: code,
      peer,
      requestId: head.requestId,
      traceId: record.traceId,
      error: record.error,
    },
  };
}

function shownTarget({ path, query }: RequestRecord, redaction: QueryRedaction): string {
  const shown = redaction.shown(query);
  return shown === undefined ? path : `${path}?${shown}`;
}

/** As services get it. */
function forwardedFor({ head }: RequestRecord): { readonly 'x-forwarded-for'?: string } {
  const value = header(head.caller.forwarded, 'x-forwarded-for');
  return value === undefined ? {} : { 'x-forwarded-for': value };
}

function since(from: number, to: number): number | undefined {
  return to === 0 ? undefined : to - from;
}
