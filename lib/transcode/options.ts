/**
 * The options of the REST side, complete: `config` fills in what was not given. Names and defaults are those of
 * docs/options.md; each says which option of a peer does the same.
 */
import { defaultCodecOptions, type CodecOptions } from '../codec/index.js';
import type { ContentCoding } from '../exchange.js';
import type { FramingName } from '../framing/index.js';
import type { UnescapeMode } from '../uri.js';

/** google.rpc.Status, AIP-193, RFC 9457 problem details, or PhotonCloud's envelope. */
export type ErrorFormat = 'status' | 'aip193' | 'problem' | 'photon';

export interface TranscodeOptions extends CodecOptions {
  /**
   * Which percent-escapes of a multi-segment path variable are undone. Default `all_characters_except_slash`, what
   * http.proto asks for. (Envoy `url_unescape_spec`, grpc-gateway `WithUnescapingMode`.)
   */
  readonly urlUnescape: UnescapeMode;
  /** A repeated query parameter may hold several values separated by commas. Default false. */
  readonly commaLists: boolean;
  /** `+` in a query is a plus, not a space. Default false. (Opposite of Envoy `query_param_unescape_plus`.) */
  readonly literalPlus: boolean;
  /** Query parameters to skip: names, or prefixes ending in `*` or `_`. Default none. (Envoy `ignored_query_parameters`.) */
  readonly ignoreQuery: readonly string[];
  /** Skip every unknown query parameter instead of answering 400. Default false. (Envoy `ignore_unknown_query_parameters`.) */
  readonly ignoreUnknownQuery: boolean;
  /** `$alt`, `$fields`, `$prettyPrint` … in queries; set by presets alone. Default true; Envoy has none. */
  readonly systemParameters: boolean;
  /** Ignore a body where the rule has none instead of answering 400. Default false; Envoy and grpc-gateway always do. */
  readonly ignoreUnexpectedBody: boolean;
  /** A path value silently replaces another value in the body instead of 400. Default false; grpc-gateway always does. */
  readonly overwritePathFields: boolean;
  /** Content codings that request bodies may have. Default none: 415. */
  readonly requestCompression: readonly ContentCoding[];
  /** PATCH with a body field fills an empty update mask from the body's keys. Default true. (grpc-gateway always does.) */
  readonly updateMasks: boolean;
  /** `""` as the body of a message field, or where the rule has no body, is none, as Google's own clients send it. Default false: 400. */
  readonly emptyStringBodies: boolean;
  /** Wraps each JSON answer: `{"data": …, "meta": {…}}`. Default `none`. */
  readonly envelope: 'none' | 'photon';
  /**
   * How server streams are sent where `Accept` does not say. Default `array`. (Envoy `stream_newline_delimited` and
   * `stream_sse_style_delimited` are `ndjson` and `sse`.)
   */
  readonly streamFormat: FramingName;
  /** An array whose stream failed ends in `]` behind its error, instead of being broken off. Default false. */
  readonly closeErrorArray: boolean;
  /** How long the head of a streamed answer waits for the first message, in milliseconds. Default 1 s. */
  readonly streamHeadDelayMs: number;
  /** Time between the comments that keep server-sent events alive, in milliseconds. Default 15 s. */
  readonly sseKeepAliveMs: number;
  /** Shape of error bodies. Default `status` (google.rpc.Status), or `photon` where `envelope` is. */
  readonly errorFormat: ErrorFormat;
  /** HTTP status for gRPC codes where it shall differ from google.rpc.Code's table. Default none. */
  readonly statusMap: ReadonlyMap<number, number>;
  /** Show google.rpc.DebugInfo details to clients. Default false. */
  readonly debugInfo: boolean;
  /** On HTTP/1 the reason phrase of an error is its message (BusyBox wget shows nothing else). Default true. */
  readonly reasonPhrase: boolean;
  /** An `etag` for answers to GET and HEAD, and 304 where the client has them already. Default false. */
  readonly etag: boolean;
  /**
   * Names of headers and metadata as grpc-gateway has them: `Grpc-Metadata-X` becomes `x` and back, well-known headers get
   * `grpcgateway-`, others are dropped; set by presets alone. Default false.
   */
  readonly grpcGatewayNames: boolean;
  /**
   * Headers that say who a client is, and are never taken from clients: names in lower case, or prefixes ending in `*`.
   * Default none.
   */
  readonly identityHeaders: readonly string[];
  /** Deadline of calls whose client gives none, in milliseconds. Default none. */
  readonly defaultDeadlineMs: number | undefined;
  /** The longest deadline a client may ask for, in milliseconds; longer ones are cut to it. Default none. */
  readonly maxDeadlineMs: number | undefined;
  /** Largest request body, in bytes. Default 4 MiB. (Envoy `max_request_body_size`.) */
  readonly maxBodyBytes: number;
  /** Most parts of a `multipart/form-data` body. Default 1000. */
  readonly maxFormParts: number;
}

export const defaultTranscodeOptions: TranscodeOptions = Object.freeze({
  ...defaultCodecOptions,
  urlUnescape: 'all_characters_except_slash',
  commaLists: false,
  literalPlus: false,
  ignoreQuery: Object.freeze([]),
  ignoreUnknownQuery: false,
  systemParameters: true,
  ignoreUnexpectedBody: false,
  overwritePathFields: false,
  requestCompression: Object.freeze([]),
  updateMasks: true,
  emptyStringBodies: false,
  envelope: 'none',
  streamFormat: 'array',
  closeErrorArray: false,
  streamHeadDelayMs: 1000,
  sseKeepAliveMs: 15_000,
  errorFormat: 'status',
  statusMap: new Map<number, number>(),
  debugInfo: false,
  reasonPhrase: true,
  etag: false,
  grpcGatewayNames: false,
  identityHeaders: Object.freeze([]),
  defaultDeadlineMs: undefined,
  maxDeadlineMs: undefined,
  maxBodyBytes: 4 * 1024 * 1024,
  maxFormParts: 1000,
} as const);
