/** The options of REST requests and answers. */
import { compileError, type ErrorTemplate } from '../commands.js';
import { codecOptions } from '../codec/index.js';
import { callOptions } from '../metadata/index.js';
import {
  booleanValue,
  checkedText,
  choicesValue,
  defaultsOf,
  enumValue,
  integerValue,
  leaf,
  listValue,
  option,
  optional,
  OptionError,
  type OptionsOf,
  type Plain,
  presetOption,
  sizeValue,
  statusMapValue,
  timeValue,
} from '../options/index.js';
import { codeByName } from '../status.js';

/** A map, or its text as JSON. */
const errorTemplateValue = leaf<ErrorTemplate>({
  placeholder: 'TEMPLATE',
  description: 'a map such as {"code": "%RESPONSE_CODE%", "message": "%MESSAGE%"}',
  jsonSchema: { type: 'object' },
  unit: '',
  print: (template) => template,
  convert(raw) {
    const value = typeof raw === 'string' ? parsedJson(raw) : raw;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    try {
      compileError(value as ErrorTemplate);
      return value as ErrorTemplate;
    } catch (error) {
      if (!(error instanceof OptionError)) throw error;
      throw new OptionError(`found ${JSON.stringify(raw)}, expected a template: ${error.message}`);
    }
  },
});

function parsedJson(text: string): Plain | undefined {
  try {
    return JSON.parse(text) as Plain;
  } catch {
    return undefined;
  }
}

const mediaTypeValue = checkedText({
  placeholder: 'MEDIA-TYPE',
  description: 'a media type such as application/vnd.acme.error+json',
  convert: (text) => (/^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(?:; ?[\w-]+=[\w.-]+)*$/.test(text) ? text : undefined),
});

/** The options of this room. */
export const transcodeOptions = {
  url_unescape: option(enumValue('all_characters_except_slash', 'all_characters_except_reserved', 'all_characters'), {
    default: 'all_characters_except_slash',
    presets: { envoy: 'all_characters_except_reserved', 'grpc-gateway': 'all_characters' },
    why: 'the default mode of each',
    group: 'requests',
    text: 'which %XX in a multi-segment path variable are decoded',
    peers: 'Envoy `url_unescape_spec`, grpc-gateway `WithUnescapingMode`',
  }),
  bracket_query: option(booleanValue, {
    default: false,
    group: 'requests',
    text: 'a[b]=v in a query or form is a.b=v; tags[]=v and tags[0]=v are elements of a list',
  }),
  comma_lists: option(booleanValue, {
    default: false,
    group: 'requests',
    text: 'a,b in a query is two elements of a repeated field',
  }),
  literal_plus: option(booleanValue, {
    default: false,
    presets: { envoy: true },
    why: 'Envoy does not decode `+`',
    group: 'requests',
    text: '+ in a query is a plus, not a space',
    peers: 'the opposite of Envoy `query_param_unescape_plus`',
  }),
  ignore_query: option(listValue, {
    default: [],
    group: 'requests',
    text: 'query parameters to skip; a name that ends in * or _ is a prefix',
    peers: 'Envoy `ignored_query_parameters`',
  }),
  ignore_unknown_query: option(booleanValue, {
    default: false,
    presets: { 'grpc-gateway': true },
    why: 'Envoy passes such a request on unchanged and the gRPC server refuses it; here it is a 400',
    group: 'requests',
    text: 'skip all unknown query parameters',
    peers: 'Envoy `ignore_unknown_query_parameters`',
  }),
  system_parameters: presetOption(booleanValue, {
    default: true,
    presets: { envoy: false },
    why: 'Envoy has none',
    text: '`$alt`, `$fields`, `$prettyPrint` … in queries',
  }),
  // Pages of other sites can send such a body without a preflight: leave `check_origin` on.
  text_plain_json: option(booleanValue, {
    default: false,
    presets: { 'grpc-gateway': true },
    why: 'it ignores the content type; `fetch` sends strings as text/plain',
    group: 'requests',
    text: 'a body of type text/plain is read as JSON',
  }),
  ignore_content_type: option(booleanValue, {
    default: false,
    group: 'requests',
    text: 'every body is read as JSON, whatever its content type, as Envoy reads it',
  }),
  ignore_unexpected_body: option(booleanValue, {
    default: false,
    presets: { envoy: true, 'grpc-gateway': true },
    why: 'both ignore a body that the rule does not name',
    group: 'requests',
    text: 'ignore a body if the rule takes none',
  }),
  overwrite_path_fields: option(booleanValue, {
    default: false,
    presets: { 'grpc-gateway': true },
    why: 'the path is set after the body',
    group: 'requests',
    text: 'a path variable silently replaces a different value in the body',
  }),
  request_compression: option(choicesValue('gzip', 'deflate', 'br'), {
    default: [],
    group: 'requests',
    text: 'content codings that request bodies may have',
  }),
  update_masks: option(booleanValue, {
    default: true,
    presets: { envoy: false },
    why: 'Envoy fills none',
    group: 'requests',
    text: 'PATCH fills an empty update mask from the keys of the body',
  }),
  empty_string_bodies: presetOption(booleanValue, {
    default: false,
    presets: { google: true },
    why: '`""` means an absent body field, or no body if the rule has none',
    text: '`""` as the body of a message field, or if the rule has no body, counts as no body',
  }),
  stream_format: option(enumValue('array', 'ndjson', 'sse', 'json-seq', 'grpc-gateway'), {
    default: 'array',
    presets: { 'grpc-gateway': 'grpc-gateway' },
    why: '`{"result": …}` and `{"error": …}` on lines',
    group: 'answers',
    text: 'format of server streams if Accept does not choose one: JSON array, lines, server-sent events, JSON text sequence (RFC 7464), {"result": …} lines',
    aliases: {
      stream_newline_delimited: { value: 'ndjson', text: "Envoy's name for stream_format ndjson" },
      stream_sse_style_delimited: { value: 'sse', text: "Envoy's name for stream_format sse" },
    },
  }),
  close_error_array: option(booleanValue, {
    default: false,
    group: 'answers',
    text: 'end the array of a failed stream with ] instead of breaking off the answer',
  }),
  stream_errors: option(enumValue('marked', 'trailers'), {
    default: 'marked',
    group: 'answers',
    text: 'how a stream that fails after its first message ends: with an element {"error": …}, or as Envoy ends it: like a whole one, with grpc-status in the trailers alone, which curl and browsers do not show',
  }),
  envelope: option(enumValue('none', 'photon'), {
    default: 'none',
    group: 'answers',
    text: 'wrap answers: {"data": …, "meta": {…}}',
  }),
  error_format: option(enumValue('status', 'aip193', 'problem', 'photon', 'text'), {
    default: 'status',
    defaultText: 'status, or as envelope',
    presets: { google: 'aip193' },
    why: '`{"error": {"code": 404, …}}`; follows `envelope` if that is given',
    follows: { option: 'envelope', value: (envelope) => (envelope === 'photon' ? 'photon' : undefined) },
    group: 'answers',
    text: 'shape of error bodies: google.rpc.Status, AIP-193, RFC 9457 problem details, {"error": …, "meta": {…}}, or the message as text/plain',
  }),
  error_template: option(optional(errorTemplateValue), {
    default: undefined,
    group: 'answers',
    text: 'the error body itself, as JSON: its texts may have commands such as %RESPONSE_CODE%, %GRPC_STATUS% and %MESSAGE% (docs/configuration.md); in the place of error_format',
  }),
  error_content_type: option(mediaTypeValue, {
    default: 'application/json',
    group: 'answers',
    text: 'content type of errors that error_template makes',
  }),
  convert_grpc_status: option(booleanValue, {
    default: true,
    group: 'answers',
    text: 'failed calls have a body; without it, grpc-status and grpc-message are headers, and there is none',
    peers: 'Envoy `convert_grpc_status`',
  }),
  grpc_status_headers: option(booleanValue, {
    default: false,
    group: 'answers',
    text: 'answers of unary calls have grpc-status: 0 among their headers, as those of Envoy do',
  }),
  ignore_accept: option(booleanValue, {
    default: false,
    group: 'answers',
    text: 'the form of answers does not follow Accept; streams of lines are application/json',
  }),
  request_binding: option(enumValue('strict', 'envoy'), {
    default: 'strict',
    group: 'requests',
    text: 'what a request may be: strict refuses what is given twice or has no place; envoy: the body wins over the query, and that over the path, a body needs no place in the rule, no body is {}, and parameters without a value are dropped',
  }),
  reject_binding_body_field_collisions: option(booleanValue, {
    default: false,
    group: 'requests',
    text: 'with request_binding: envoy: another value in the body than in path or query is refused',
    peers: 'Envoy `reject_binding_body_field_collisions`',
  }),
  pass_unknown_query: option(booleanValue, {
    default: false,
    group: 'requests',
    text: 'with virtual_hosts: a request with an unknown query parameter is passed on as it is',
    peers: 'the opposite of Envoy `reject_unknown_query_parameters`',
  }),
  // `"details": []`, and the members of details that are at their default.
  whole_errors: presetOption(booleanValue, {
    default: false,
    presets: { 'grpc-gateway': true },
    why: 'its marshaler prints errors too: `"details": []`',
    text: 'print google.rpc.Status errors like other messages',
  }),
  status_map: option(statusMapValue(codeByName), {
    default: new Map<number, number>(),
    group: 'answers',
    text: 'HTTP status for gRPC codes of services, instead of the default; also for codes that gRPC does not define',
  }),
  reason_phrase: option(booleanValue, {
    default: true,
    presets: { envoy: false, 'grpc-gateway': false },
    why: 'the standard phrases',
    group: 'answers',
    text: 'use the message of an error as its HTTP/1 reason phrase',
  }),
  error_pages: option(booleanValue, {
    default: true,
    presets: { envoy: false, 'grpc-gateway': false },
    why: 'neither has pages',
    group: 'answers',
    text: 'show errors as a page if Accept prefers text/html, as browsers do',
  }),
  etag: option(booleanValue, {
    default: false,
    group: 'answers',
    text: 'add an ETag to answers to GET, and answer 304 if If-None-Match names it',
  }),
  conditional_requests: option(enumValue('off', 'quoted', 'bare'), {
    default: 'off',
    group: 'requests',
    text: 'If-Match of a write fills the string field etag of the request or resource (AIP-154), and ETag is taken from that of the answer; the field holds tags with their quotes, or bare',
  }),
  // `Grpc-Metadata-X` becomes `x` and back, well-known headers get `grpcgateway-`, others are dropped.
  grpc_gateway_names: presetOption(booleanValue, {
    default: false,
    presets: { 'grpc-gateway': true },
    why: '`Grpc-Metadata-`, `grpcgateway-`',
    text: 'name headers and metadata as grpc-gateway does',
  }),
  max_response_bytes: option(optional(sizeValue(1, 0xffffffff)), {
    default: undefined,
    group: 'limits',
    text: 'largest message of a service that becomes an answer of REST; for a larger one the answer is 500. max_receive_bytes limits what is received at all',
    peers: 'Envoy `max_response_body_size`',
  }),
  max_form_parts: option(integerValue(1, 1_000_000), {
    default: 1000,
    group: 'limits',
    text: 'fields of a form, and parameters of a query',
  }),
  stream_head_delay: option(timeValue, {
    default: 1000,
    group: 'limits',
    text: 'time for which the head of a streamed answer waits for the first message',
  }),
  sse_retry: option(optional(timeValue), {
    default: undefined,
    group: 'answers',
    text: 'server-sent events begin with retry:, the time after which clients connect again',
  }),
  sse_keep_alive: option(timeValue, {
    default: 15_000,
    group: 'limits',
    text: 'time between the comments that keep server-sent events alive',
  }),
};

const allOptions = { ...codecOptions, ...callOptions, ...transcodeOptions };

/** All options that `transcode` reads, also those of `codec` and `metadata`. */
export type TranscodeOptions = OptionsOf<typeof allOptions>;

/** google.rpc.Status, AIP-193, RFC 9457 problem details, or PhotonCloud's envelope. */
export type ErrorFormat = TranscodeOptions['errorFormat'];

/** Their defaults. */
export const defaultTranscodeOptions: TranscodeOptions = defaultsOf(allOptions);
