/** Access logs: where lines go, and what they say. */
import { any, honoured, list, message, noEffect, refused, required, warned } from '../describe.js';
import { anything, bool, lineText, lineMap, string } from '../kinds.js';
import { dataSource } from './common.js';

const formatters = honoured(
  list(
    message({
      name: noEffect(string, '"@type" decides'),
      typed_config: honoured(
        any({ 'envoy.extensions.formatter.req_without_query.v3.ReqWithoutQuery': message({}) } as const),
      ),
    }),
  ),
  '%REQ_WITHOUT_QUERY(name)% is always known',
);

export const logFormat = message({
  text_format: honoured(lineText),
  text_format_source: honoured(dataSource),
  json_format: honoured(lineMap, 'a text that is one command has the type of its value, and null if there is none'),
  omit_empty_values: honoured(bool),
  content_type: honoured(string, 'of replies'),
  formatters,
  json_format_options: noEffect(anything, 'members have the order of the file'),
});

export const FILE_LOG = 'envoy.extensions.access_loggers.file.v3.FileAccessLog';
export const STDOUT_LOG = 'envoy.extensions.access_loggers.stream.v3.StdoutAccessLog';
const STDERR_LOG = 'envoy.extensions.access_loggers.stream.v3.StderrAccessLog';

const stream = message({ log_format: honoured(logFormat) });
const toFile = refused('write a FileAccessLog or StdoutAccessLog, and let a collector send the lines');

const allLogged = refused('all requests are logged; --access-log-sample logs a share of those that succeed');
const filter = message({
  not_health_check_filter: warned(anything, 'what the filter health_check answers is logged, too'),
  status_code_filter: allLogged,
  duration_filter: allLogged,
  traceable_filter: allLogged,
  runtime_filter: allLogged,
  and_filter: allLogged,
  or_filter: allLogged,
  header_filter: allLogged,
  response_flag_filter: allLogged,
  grpc_status_filter: allLogged,
  extension_filter: allLogged,
  metadata_filter: allLogged,
  log_type_filter: allLogged,
});

export const accessLogs = list(
  message({
    name: noEffect(string, '"@type" decides'),
    filter: honoured(filter),
    typed_config: required(
      any({
        [FILE_LOG]: message({
          path: required(string, 'write path: FILE'),
          format: honoured(lineText),
          json_format: refused('write log_format: { json_format: { … } }, whose numbers are numbers'),
          typed_json_format: honoured(lineMap),
          log_format: honoured(logFormat),
        }),
        [STDOUT_LOG]: stream,
        [STDERR_LOG]: stream,
        'envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig': toFile,
        'envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig': toFile,
      } as const),
      'write typed_config, with "@type" in it',
    ),
  }),
);
