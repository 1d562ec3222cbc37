export { type AccessLogOptions, JsonAccessLog, TextAccessLog } from './access-log.js';
export { FormatAccessLog } from './format-log.js';
export { defaultFields, fieldNames } from './fields.js';
export { LineBuffer } from './line-buffer.js';
export {
  isLogLevel,
  jsonLog,
  type LineSink,
  type Log,
  type LogLevel,
  logLevels,
  type Severity,
  textLog,
} from './log.js';
export { telemetryOptions, type TelemetryOptions } from './options.js';
export { type MetricFamily, type Scrape } from './exposition.js';
export { type ListenerStatus, Metrics, type MetricsSource } from './metrics.js';
export { envoyLevels } from './log.js';
export {
  CLIENT_GONE_STATUS,
  type Observer,
  observers,
  type Outcome,
  type RequestProtocol,
  RequestRecord,
  SilentObserver,
} from './record.js';
export { type LogFile, openLogFile } from './log-file.js';
export { REDACTED } from './redact.js';
export { type MeasuredWorker, SummedMetrics } from './summed.js';
export { startTracing, type Tracing, wantsTraces } from './tracing.js';
