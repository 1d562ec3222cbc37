/** `access_log` of a connection manager → the options of the access log. */
import type { Plain } from '../../options/index.js';
import { cannot, type EnvoyReader, fault, placed, type ValueOf } from '../describe.js';
import { FILE_LOG, type accessLogs, type logFormat, STDOUT_LOG } from '../keys/access-log.js';
import { textOf } from './source.js';

type Log = ValueOf<typeof accessLogs>[number];
type Format = ValueOf<typeof logFormat>;
type PlainMap = Record<string, Plain>;

/** What Envoy writes if nobody says more. */
const DEFAULT_FORMAT =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  '%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" ' +
  '"%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"\n';

/** The options; undefined if nothing is logged. */
export function translateAccessLog(log: Log, reader: EnvoyReader): PlainMap | undefined {
  const { typed_config: config, at } = log;
  if (config === undefined) return undefined;
  const isFile = config.type === FILE_LOG;
  const file = isFile ? config.value.path : config.type === STDOUT_LOG ? '/dev/stdout' : '/dev/stderr';
  if (file === undefined) return undefined;
  const old = isFile ? (config.value.format ?? config.value.typed_json_format) : undefined;
  const { log_format: format } = config.value;
  if (old !== undefined && format !== undefined) fault(reader, at, 'it has two formats; write log_format alone');
  const line = old ?? (format === undefined ? undefined : formatOf(format, reader)) ?? DEFAULT_FORMAT;
  const settings = {
    access_log: typeof line === 'string' ? 'text' : 'json',
    ...(file !== '/dev/stderr' && { access_log_file: file }),
    access_log_format: line,
    ...(format?.omit_empty_values === true && { access_log_omit_empty: true }),
  };
  return placed(settings, at, reader);
}

/** A line of a log, or the body of an answer. */
export function formatOf(format: Format, reader: EnvoyReader): Plain | undefined {
  const { text_format: text, text_format_source: source, json_format: json, at } = format;
  const given = [text, source, json].filter((one) => one !== undefined);
  if (given.length !== 1) {
    // One that will not do is reported already.
    if (given.length > 1 || reader.problems.errors.length === 0) {
      cannot(reader, at, `it has ${given.length} formats`, 'write text_format_source or json_format');
    }
    return undefined;
  }
  return text ?? json ?? textOf(source!, reader);
}
