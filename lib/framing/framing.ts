/**
 * The framings of streamed answers. Each puts constant bytes around complete JSON texts, in one buffer per message. Framings
 * have no state: the caller knows which message is the first.
 */

/** The framings by their names in `stream_format`. */
export type FramingName = 'array' | 'ndjson' | 'sse' | 'json-seq' | 'grpc-gateway';

/** Fields of a server-sent event besides its data. Values that cannot be sent are left out. */
export interface EventFields {
  readonly id?: string | undefined;
  readonly event?: string | undefined;
}

/** One way to put messages into a body. */
export interface StreamFraming {
  readonly name: FramingName;
  readonly contentType: string;
  /** True if the JSON of a message may contain line breaks. */
  readonly takesLineBreaks: boolean;
  /** The start of every body, even without messages. */
  readonly head: Buffer;
  /** Frames one message. */
  frame(json: Buffer, isFirst: boolean, fields?: EventFields): Buffer;
  /** The end of a successful body. */
  readonly tail: Buffer;
  /** The last frame of a stream that failed; `json` is `{"error": …}`. */
  error(json: Buffer, isFirst: boolean): Buffer;
  /** True if clients can distinguish the error from a message, so that the body can end normally after it. */
  readonly marksErrors: boolean;
}

const nothing = Buffer.alloc(0);
const COMMA = Buffer.from(',');
const LINE_FEED = Buffer.from('\n');

const array: StreamFraming = {
  name: 'array',
  contentType: 'application/json',
  takesLineBreaks: true,
  head: Buffer.from('['),
  frame: element,
  tail: Buffer.from(']'),
  error: element,
  marksErrors: false,
};

function element(json: Buffer, isFirst: boolean): Buffer {
  return isFirst ? Buffer.from(json) : Buffer.concat([COMMA, json]);
}

/** https://jsonlines.org */
const ndjson: StreamFraming = {
  name: 'ndjson',
  contentType: 'application/x-ndjson',
  takesLineBreaks: false,
  head: nothing,
  frame: (json) => Buffer.concat([json, LINE_FEED]),
  tail: nothing,
  error: (json) => Buffer.concat([json, LINE_FEED]),
  marksErrors: true,
};

const RESULT = Buffer.from('{"result":');
const RESULT_END = Buffer.from('}\n');

/** The format of grpc-gateway: one line for each message, with the member `result` or `error`. */
const grpcGateway: StreamFraming = {
  ...ndjson,
  name: 'grpc-gateway',
  contentType: 'application/json',
  frame: (json) => Buffer.concat([RESULT, json, RESULT_END]),
};

/** https://html.spec.whatwg.org/multipage/server-sent-events.html */
const sse: StreamFraming = {
  name: 'sse',
  contentType: 'text/event-stream',
  takesLineBreaks: true,
  head: nothing,
  frame: (json, _isFirst, fields) => event(json, fields),
  tail: nothing,
  error: (json) => event(json, { event: 'error' }),
  marksErrors: true,
};

const DATA = Buffer.from('data: ');
const EVENT_END = Buffer.from('\n\n');

function event(json: Buffer, fields: EventFields | undefined): Buffer {
  const head = fields === undefined ? '' : fieldLine('event', fields.event) + fieldLine('id', fields.id);
  // A line break would end the data, so each line is a field of its own; clients join them again.
  const data = json.includes(0x0a) ? Buffer.from(json.toString('utf8').replaceAll('\n', '\ndata: ')) : json;
  const parts = head === '' ? [DATA, data, EVENT_END] : [Buffer.from(head), DATA, data, EVENT_END];
  return Buffer.concat(parts);
}

/**
 * Clients ignore an id with a NUL, and a line break would start another field. Such a value is left out, because with half an
 * id a client would resume at a wrong position.
 */
function fieldLine(name: string, value: string | undefined): string {
  return value === undefined || value === '' || /[\r\n\0]/.test(value) ? '' : `${name}: ${value}\n`;
}

const RECORD_SEPARATOR = Buffer.from([0x1e]);

/** https://www.rfc-editor.org/rfc/rfc7464: a reader that meets a cut text goes on at the next separator. */
const jsonSeq: StreamFraming = {
  ...ndjson,
  name: 'json-seq',
  contentType: 'application/json-seq',
  takesLineBreaks: true,
  frame: sequenceElement,
  error: sequenceElement,
};

function sequenceElement(json: Buffer): Buffer {
  return Buffer.concat([RECORD_SEPARATOR, json, LINE_FEED]);
}

/** All framings by name. */
export const framings: Readonly<Record<FramingName, StreamFraming>> = Object.freeze({
  array,
  ndjson,
  sse,
  'json-seq': jsonSeq,
  'grpc-gateway': grpcGateway,
});
