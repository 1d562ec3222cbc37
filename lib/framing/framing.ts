/**
 * The shapes of a streamed answer. Each is a few constant byte strings round the messages, which come as whole JSON texts;
 * what stands in one copy is one write. None holds state: the caller knows which message is the first.
 */

export type FramingName = 'array' | 'ndjson' | 'sse' | 'grpc-gateway';

/** What server-sent events can tell beside their data. Values are cut at what would end the line. */
export interface EventFields {
  readonly id?: string | undefined;
  readonly event?: string | undefined;
}

export interface StreamFraming {
  readonly name: FramingName;
  readonly contentType: string;
  /** True where a message may hold line breaks; else its JSON must be on one line. */
  readonly takesLineBreaks: boolean;
  /** Stands in front of everything, messages or not. */
  readonly head: Buffer;
  /** One message. */
  frame(json: Buffer, isFirst: boolean, fields?: EventFields): Buffer;
  /** Behind the last message. */
  readonly tail: Buffer;
  /** The last frame of a stream that failed; `json` is `{"error": …}`. */
  error(json: Buffer, isFirst: boolean): Buffer;
  /** True where a reader cannot take the error for a message, so that the body may end in good order after it. */
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

/** What grpc-gateway writes: a line for each message, told apart from errors by its one member. */
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
  // A line break inside the data would end it: each line gets a field of its own, and the reader joins them again.
  const data = json.includes(0x0a) ? Buffer.from(json.toString('utf8').replaceAll('\n', '\ndata: ')) : json;
  const parts = head === '' ? [DATA, data, EVENT_END] : [Buffer.from(head), DATA, data, EVENT_END];
  return Buffer.concat(parts);
}

/**
 * An id with NUL in it would be ignored by readers; a line break would start another field. What cannot be said is left
 * out: half an id would resume at another place.
 */
function fieldLine(name: string, value: string | undefined): string {
  return value === undefined || value === '' || /[\r\n\0]/.test(value) ? '' : `${name}: ${value}\n`;
}

/** By name. */
export const framings: Readonly<Record<FramingName, StreamFraming>> = Object.freeze({
  array,
  ndjson,
  sse,
  'grpc-gateway': grpcGateway,
});
