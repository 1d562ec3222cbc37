/** What the process says about its work: logs, the admin listener, metrics and traces. */
import { type LogFormat, logFormatOf } from '../commands.js';
import {
  addressValue,
  booleanValue,
  enumValue,
  integerValue,
  leaf,
  namesValue,
  option,
  optional,
  OptionError,
  type OptionsOf,
  pathValue,
  shareValue,
  timeValue,
} from '../options/index.js';
import { defaultFields, isFieldName } from './fields.js';
import { logLevels } from './log.js';

const fieldsValue = {
  ...namesValue('names of fields (docs/production.md), such as path, status or header.referer', isFieldName),
  placeholder: 'FIELD,…',
};

/** A text of one form or a map of another. */
const logFormatValue = leaf<LogFormat>({
  placeholder: 'FORMAT',
  description: 'a text with commands such as %RESPONSE_CODE%, or a map of such texts',
  jsonSchema: { type: ['string', 'object'] },
  unit: '',
  print: (format) => format,
  convert(raw) {
    try {
      return logFormatOf(raw);
    } catch (error) {
      if (!(error instanceof OptionError)) throw error;
      throw new OptionError(`found ${JSON.stringify(raw)}, expected a format: ${error.message}`);
    }
  },
});

const common = { group: 'telemetry', processOnly: true } as const;

export const telemetryOptions = {
  log_level: option(enumValue(...logLevels), {
    ...common,
    default: 'info',
    text: 'least severe messages that are written to standard error; PUT /log-level of the admin listener changes it',
  }),
  log_format: option(enumValue('auto', 'text', 'json'), {
    ...common,
    default: 'auto',
    text: 'form of these messages; auto: text on a terminal, else JSON lines',
  }),
  access_log: option(enumValue('off', 'auto', 'text', 'json'), {
    ...common,
    default: 'off',
    text: 'a line for each request when it has ended; auto: text on a terminal, else JSON lines',
    peers: 'Envoy `access_log`',
  }),
  access_log_file: option(pathValue, {
    ...common,
    default: undefined,
    defaultText: 'standard error',
    text: 'file that these lines are appended to; SIGHUP reopens it; /dev/stdout is standard output',
  }),
  access_log_format: option(optional(logFormatValue), {
    ...common,
    default: undefined,
    text: 'what these lines are, with commands such as %RESPONSE_CODE%: a text with its end of line, or in a file a map for lines of JSON; in place of access_log_fields',
    peers: 'Envoy `log_format`',
  }),
  access_log_omit_empty: option(booleanValue, {
    ...common,
    default: false,
    text: 'with access_log_format: what has no value is left out; otherwise - and null stand there',
    peers: 'Envoy `omit_empty_values`',
  }),
  access_log_fields: option(fieldsValue, {
    ...common,
    default: defaultFields,
    defaultText: 'those of docs/production.md',
    text: 'what these lines contain, in this order',
  }),
  access_log_sample: option(shareValue, {
    ...common,
    default: 1,
    text: 'share of the successful requests that are logged; errors and slow requests always are',
  }),
  access_log_slow: option(timeValue, {
    ...common,
    default: 1000,
    text: 'a request that takes this long is always logged',
  }),
  log_redact_query: option(
    namesValue('none, or names of query parameters', () => true),
    {
      ...common,
      default: ['access_token', 'api_key', 'apikey', 'key', 'password', 'secret', 'sig', 'signature', 'token'],
      defaultText: 'access_token, api_key, apikey, key, password, secret, sig, signature, token',
      text: 'query parameters whose values are never written to logs and traces',
    },
  ),
  admin: option(addressValue, {
    ...common,
    default: undefined,
    text: 'listener of /metrics, /livez, /readyz, /routes, /config and /upstreams; a port alone is one of loopback',
  }),
  admin_envoy: option(booleanValue, {
    ...common,
    default: false,
    text: "that listener also answers Envoy's paths: /ready, /stats, /clusters, /quitquitquit and others",
    peers: 'Envoy `admin`',
  }),
  metrics_max_series: option(integerValue(1, 1_000_000), {
    ...common,
    default: 2000,
    text: 'label sets of each metric of requests; further ones are counted together as _OTHER',
  }),
  tracing: option(enumValue('auto', 'off', 'otlp'), {
    ...common,
    default: 'auto',
    text: 'spans of OpenTelemetry by OTLP, set up by OTEL_* of the environment; auto: if that names an exporter or an endpoint',
  }),
};

export type TelemetryOptions = OptionsOf<typeof telemetryOptions>;
