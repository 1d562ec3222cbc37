/**
 * `option (photongate.http) = {…}`: settings of a method that google.api.http lacks. They are read and checked at the start;
 * field paths are resolved like those of rules.
 */
import { connectionHeaders, isHeaderName } from '../headers.js';
import { parseTime } from '../options/index.js';
import type { MessageDescriptor, MethodDescriptor, OptionMessage } from '../schema/types.js';
import type { SourcePlace } from '../status.js';
import { quote } from '../uri.js';
import {
  describeField,
  fieldPathText,
  hasTextForm,
  resolveFieldPath,
  startsWith,
  type FieldPath,
} from './field-path.js';
import { OptionReader, type Located, type RpcProblems } from './option-reader.js';

/** A request header or cookie that sets a field, with the types of query values. */
export interface RequestHeaderBinding {
  readonly source: 'header' | 'cookie';
  /** Headers in lower case, cookies as written. */
  readonly name: string;
  readonly path: FieldPath;
  /** For messages. */
  readonly place: SourcePlace;
}

/** A field of the response message that is sent as a header. */
export interface ResponseHeaderBinding {
  /** In lower case. */
  readonly name: string;
  readonly path: FieldPath;
}

/** Fields of a stream's messages that become fields of server-sent events. */
export interface SseOptions {
  readonly id: FieldPath | undefined;
  readonly event: FieldPath | undefined;
  /** The field of the request that takes the id of the last event. */
  readonly resume: ResumeField | undefined;
}

/** Where a stream goes on. */
export interface ResumeField {
  readonly path: FieldPath;
  /** True if it takes the number after the id. */
  readonly isNext: boolean;
  /** For messages. */
  readonly place: SourcePlace;
}

/** Undefined members were not given. */
export interface MethodOptions {
  /** HTTP status of a success, unless the service sets one. */
  readonly successStatus: number | undefined;
  readonly headers: readonly RequestHeaderBinding[];
  readonly responseHeaders: readonly ResponseHeaderBinding[];
  /** Whether an empty update mask is filled from the body of a PATCH. */
  readonly updateMask: boolean | undefined;
  readonly sse: SseOptions | undefined;
  /** Deadline of calls whose client has none, above 0. Infinity: no deadline, whatever the defaults are. */
  readonly deadlineMs: number | undefined;
}

/** The options of a method without any. */
export const noMethodOptions: MethodOptions = Object.freeze({
  successStatus: undefined,
  headers: Object.freeze([]),
  responseHeaders: Object.freeze([]),
  updateMask: undefined,
  sse: undefined,
  deadlineMs: undefined,
});

const members = ['success_status', 'headers', 'response_headers', 'update_mask', 'sse', 'deadline'];

/**
 * The options of a method. Invalid ones are reported and left out.
 * @param configured options from a configuration, the weakest first: each member replaces that of the annotation.
 */
export function readMethodOptions(
  method: MethodDescriptor,
  problems: RpcProblems,
  configured: readonly OptionMessage[] = [],
): MethodOptions {
  const option = method.option('photongate.http');
  if (option === undefined && configured.length === 0) return noMethodOptions;
  const readerOf = (source: OptionMessage): OptionReader =>
    new OptionReader(source, 'photongate.HttpOptions', members, problems);
  const annotation = readerOf(option ?? { fields: [], place: method.place });
  const config = configured.map(readerOf);
  const configOf = (member: string): OptionReader | undefined => config.findLast((reader) => reader.hasAny([member]));
  const of = (member: string): OptionReader => configOf(member) ?? annotation;
  const fields = new FieldReader(method, problems);
  const configDeadline = configOf('deadline');
  return Object.freeze({
    successStatus: readSuccessStatus(of('success_status'), problems),
    headers: withoutConflicts(
      of('headers')
        .messages('headers')
        .flatMap((entry) => fields.requestHeader(entry)),
      problems,
    ),
    responseHeaders: of('response_headers')
      .messages('response_headers')
      .flatMap((entry) => fields.responseHeader(entry)),
    updateMask: of('update_mask').boolean('update_mask')?.value,
    sse: readSse(of('sse'), method, fields, problems),
    deadlineMs:
      configDeadline === undefined ? readDeadline(annotation, problems) : readConfigDeadline(configDeadline, problems),
  });
}

function readSuccessStatus(reader: OptionReader, problems: RpcProblems): number | undefined {
  const status = reader.integer('success_status');
  if (status === undefined) return undefined;
  const value = Number(status.value);
  if (value >= 200 && value <= 399 && value !== 206) return value;
  problems.error({
    code: 'option-value',
    message: `success_status is ${status.value}, expected 200 to 399 and not 206`,
    place: status.place,
    hint:
      value === 206
        ? 'let the service send x-http-code: 206 with its content-range'
        : 'errors get their status from the gRPC code',
  });
  return undefined;
}

function readSse(
  reader: OptionReader,
  method: MethodDescriptor,
  fields: FieldReader,
  problems: RpcProblems,
): SseOptions | undefined {
  const sse = reader.message('sse');
  if (sse === undefined) return undefined;
  if (!method.serverStreaming) {
    problems.error({
      code: 'option-value',
      message: `sse is set, but ${method.fullName} does not return a stream`,
      place: sse.place,
      hint: 'drop it, or declare the method with "returns (stream …)"',
    });
  }
  const inner = new OptionReader(sse.value, 'photongate.ServerSentEvent', sseMembers, problems);
  return {
    id: fields.ofMessage('sse.id', inner.text('id')),
    event: fields.ofMessage('sse.event', inner.text('event')),
    resume: readResume(inner, fields, problems),
  };
}

const sseMembers = ['id', 'event', 'last_event_id', 'next'];

function readResume(reader: OptionReader, fields: FieldReader, problems: RpcProblems): ResumeField | undefined {
  const text = reader.text('last_event_id');
  const next = reader.boolean('next');
  const path = fields.ofRequest('sse.last_event_id', text);
  const isNext = next?.value === true;
  const fail = (message: string, place: SourcePlace, hint: string): undefined => {
    problems.error({ code: 'option-value', message, place, hint });
    return undefined;
  };
  if (text === undefined) {
    return next && fail('sse.next is given without last_event_id', next.place, 'name the field: last_event_id: "…"');
  }
  if (!reader.hasAny(['id'])) {
    return fail(
      'sse.last_event_id is given, but events have no id',
      text.place,
      'name a field of the message: id: "…"',
    );
  }
  const field = path?.at(-1);
  if (path === undefined || field === undefined) return undefined;
  if (isNext && !/^[us]?(?:int|fixed)|^sfixed/.test(field.type)) {
    return fail(
      `sse.next: ${quote(text.value)} is ${describeField(field)}, expected an integer`,
      text.place,
      'leave out next: then the field takes the id itself',
    );
  }
  return { path, isNext, place: text.place };
}

function readDeadline(reader: OptionReader, problems: RpcProblems): MethodOptions['deadlineMs'] {
  const deadline = reader.message('deadline');
  if (deadline === undefined) return undefined;
  const inner = new OptionReader(deadline.value, 'google.protobuf.Duration', ['seconds', 'nanos'], problems);
  const seconds = Number(inner.integer('seconds')?.value ?? 0);
  const nanos = Number(inner.integer('nanos')?.value ?? 0);
  const milliseconds = seconds * 1000 + nanos / 1e6;
  if (seconds === 0 && nanos === 0) return Infinity;
  if (milliseconds > 0 && seconds <= maxDurationSeconds && Math.abs(nanos) < 1e9) return milliseconds;
  problems.error({
    code: 'option-value',
    message: `deadline is ${seconds} s and ${nanos} ns, expected a time above 0, or 0 for none`,
    place: deadline.place,
    hint: 'write deadline { seconds: 5 }, or leave it out for the default',
  });
  return undefined;
}

/** A time in the notation of configurations; `none` removes every default. */
function readConfigDeadline(reader: OptionReader, problems: RpcProblems): number | undefined {
  const deadline = reader.text('deadline');
  if (deadline === undefined) return undefined;
  if (deadline.value === 'none') return Infinity;
  const milliseconds = parseTime(deadline.value) ?? 0;
  if (milliseconds > 0) return milliseconds;
  problems.error({
    code: 'option-value',
    message: `deadline is ${quote(deadline.value)}, expected none or a time above 0, such as 250ms, 1.5s or 2m`,
    place: deadline.place,
  });
  return undefined;
}

/** The range of google.protobuf.Duration. */
const maxDurationSeconds = 315_576_000_000;

/** Headers that the proxy writes itself, or that belong to one connection. */
const ownHeaders: ReadonlySet<string> = new Set([
  ...connectionHeaders,
  'content-encoding',
  'content-length',
  'content-type',
  'date',
]);

/** Reads entries that connect a name with a field. */
class FieldReader {
  constructor(
    private readonly method: MethodDescriptor,
    private readonly problems: RpcProblems,
  ) {}

  /** One entry; empty if it is invalid. */
  requestHeader(entry: OptionMessage): RequestHeaderBinding[] {
    const reader = new OptionReader(entry, 'photongate.RequestHeader', ['header', 'cookie', 'field'], this.problems);
    const header = reader.text('header');
    const cookie = reader.text('cookie');
    const path = this.pathOf('headers', reader, this.method.input, 'list');
    if (header !== undefined && cookie !== undefined) {
      this.fail(
        'an entry of headers names a header and a cookie, expected one of them',
        cookie.place,
        'write two entries',
      );
      return [];
    }
    const name = header ?? cookie;
    if (name === undefined) {
      if (!reader.hasAny(['header', 'cookie'])) {
        this.fail(
          'an entry of headers names no header and no cookie',
          entry.place,
          'write { header: "if-match" field: "etag" }',
        );
      }
      return [];
    }
    if (!this.checkName(name) || path === undefined) return [];
    const { place } = name;
    return header === undefined
      ? [{ source: 'cookie', name: name.value, path, place }]
      : [{ source: 'header', name: name.value.toLowerCase(), path, place }];
  }

  /** One entry; empty if it is invalid. */
  responseHeader(entry: OptionMessage): ResponseHeaderBinding[] {
    const reader = new OptionReader(entry, 'photongate.ResponseHeader', ['header', 'field'], this.problems);
    const header = reader.text('header');
    const path = this.pathOf('response_headers', reader, this.method.output, 'single');
    if (header === undefined) {
      if (!reader.hasAny(['header'])) {
        this.fail(
          'an entry of response_headers names no header',
          entry.place,
          'write { header: "location" field: "uri" }',
        );
      }
      return [];
    }
    if (!this.checkName(header) || path === undefined) return [];
    const name = header.value.toLowerCase();
    if (ownHeaders.has(name) || name.startsWith('grpc-')) {
      this.fail(`the header ${quote(name)} is the proxy's own`, header.place, 'choose another header');
      return [];
    }
    return [{ name, path }];
  }

  /** A field of the request message that has a text form. */
  ofRequest(what: string, text: Located<string> | undefined): FieldPath | undefined {
    return text && this.resolve(what, text, this.method.input, 'single');
  }

  /** A field of the response message that has a text form. */
  ofMessage(what: string, text: Located<string> | undefined): FieldPath | undefined {
    return text && this.resolve(what, text, this.method.output, 'single');
  }

  private pathOf(
    what: string,
    reader: OptionReader,
    root: MessageDescriptor,
    count: 'single' | 'list',
  ): FieldPath | undefined {
    const text = reader.text('field');
    if (text !== undefined) return this.resolve(what, text, root, count);
    if (!reader.hasAny(['field'])) {
      this.fail(`an entry of ${what} names no field`, reader.place, `name a field of ${root.fullName}: field: "…"`);
    }
    return undefined;
  }

  private resolve(
    what: string,
    text: Located<string>,
    root: MessageDescriptor,
    count: 'single' | 'list',
  ): FieldPath | undefined {
    const { problems } = this;
    const path = resolveFieldPath(root, text.value, (fault) =>
      problems.error({ ...fault, message: `${what}: ${fault.message}`, place: text.place }),
    );
    const field = path?.at(-1);
    if (field === undefined || (hasTextForm(field) && (count === 'list' || !field.repeated))) return path;
    this.fail(
      `${what}: ${quote(text.value)} is ${describeField(field)}, which cannot be written as one text`,
      text.place,
      'name a scalar, an enum or a well-known type with a string form',
    );
    return undefined;
  }

  private checkName({ value, place }: Located<string>): boolean {
    if (isHeaderName(value)) return true;
    this.fail(
      `${quote(value)} is not the name of a header or cookie`,
      place,
      "use letters, digits and !#$%&'*+-.^_`|~",
    );
    return false;
  }

  private fail(message: string, place: SourcePlace, hint: string): void {
    this.problems.error({ code: 'option-value', message, place, hint });
  }
}

/** Reports headers that set the same field, or a field and a part of it, because they could contradict each other. */
function withoutConflicts(headers: RequestHeaderBinding[], problems: RpcProblems): RequestHeaderBinding[] {
  return headers.filter((header, index) => {
    const other = headers
      .slice(0, index)
      .find(({ path }) => startsWith(path, header.path) || startsWith(header.path, path));
    if (other === undefined) return true;
    problems.error({
      code: 'field-bound-twice',
      message: `the ${header.source} ${quote(header.name)} binds ${quote(fieldPathText(header.path))}, and the ${other.source} ${quote(other.name)} binds ${quote(fieldPathText(other.path))}: each field is bound once`,
      place: header.place,
      hint: 'bind another field',
    });
    return false;
  });
}
