/**
 * Request bodies → wire bytes of the message or field that the rule names. Content type and first byte decide how a body is
 * read. `request` puts the bytes into the request message.
 */
import { isUtf8 } from 'node:buffer';
import { bomLength, checkWire, isHttpBody, type TextOrigin } from '../../codec/index.js';
import { header, parseMediaType, type HeaderFields } from '../../headers.js';
import type { Binding } from '../../rule/index.js';
import type { FieldDescriptor, MessageDescriptor } from '../../schema/types.js';
import { Code, type FieldViolation, StatusError } from '../../status.js';
import { quote } from '../../uri.js';
import { makeTag, WireType, type Writer } from '../../wire/index.js';
import type { TranscodeContext } from '../context.js';
import { acceptQuery } from '../accept-query.js';
import { DEFAULT_CONTENT_TYPE, writeHttpBody } from '../http-body.js';
import { parseMultipart } from './multipart.js';
import type { TranscodeOptions } from '../options.js';
import { bindParts, charsetProblem } from './form-parts.js';
import { ParameterResolver } from './parameter-resolver.js';
import { QueryBinder } from './query.js';
import { MessageNode, type MergeContext } from './merge.js';

/** How a body is read. A form that starts like JSON is read as JSON: `curl -d` calls every body a form. */
export type BodyKind = 'json' | 'form' | 'multipart' | 'protobuf' | 'raw';

/** What the headers say about a body. */
export interface BodyType {
  readonly kind: BodyKind;
  /** The header as sent; '' if there was none. */
  readonly contentType: string;
  /** Of a multipart body; else ''. */
  readonly boundary: string;
}

const ACCEPTED =
  'application/json (or any +json), application/x-www-form-urlencoded, multipart/form-data, application/x-protobuf';

/** The type of a request without a body or without a content type. */
export const jsonType: BodyType = Object.freeze({ kind: 'json', contentType: '', boundary: '' });

/**
 * The type of a request's body.
 * @throws StatusError 415 for a type or charset that is not read, 400 for a multipart form without a boundary.
 */
function bodyTypeOf(
  headers: HeaderFields,
  { textPlainJson, ignoreContentType }: Pick<TranscodeOptions, 'textPlainJson' | 'ignoreContentType'>,
  refusalHeaders: StatusError['headers'],
): BodyType {
  const contentType = header(headers, 'content-type') ?? '';
  if (ignoreContentType) return { ...jsonType, contentType };
  if (contentType.trim() === '') return jsonType;
  const { type, parameters } = parseMediaType(contentType);
  const problem = charsetProblem(parameters);
  if (problem !== undefined) throw StatusError.http(415, problem, { headers: refusalHeaders });
  const kind = textPlainJson && type === 'text/plain' ? 'json' : kindOf(type);
  if (kind === undefined) {
    const message = `content-type ${quote(contentType)} is not read here; send one of: ${ACCEPTED}`;
    throw StatusError.http(415, message, { headers: refusalHeaders });
  }
  if (kind !== 'multipart') return { kind, contentType, boundary: '' };
  const boundary = parameters.get('boundary') ?? '';
  if (boundary !== '' && boundary.length <= 70 && /^[\x20-\x7e]+$/.test(boundary))
    return { kind, contentType, boundary };
  throw StatusError.badField(
    'content-type',
    `found ${quote(contentType)}, expected a boundary of 1 to 70 characters: multipart/form-data; boundary=…`,
  );
}

function kindOf(type: string): BodyKind | undefined {
  switch (type) {
    case 'application/x-www-form-urlencoded':
      return 'form';
    case 'multipart/form-data':
      return 'multipart';
    case 'application/x-protobuf':
    case 'application/protobuf':
      return 'protobuf';
    default:
      return isJsonType(type) ? 'json' : undefined;
  }
}

/** True for `application/json` and every `…/…+json`. */
export function isJsonType(type: string): boolean {
  return type === 'application/json' || /^[^/\s]+\/[^/\s]+\+json$/.test(type);
}

/** Reads the bodies of one rule. */
export interface BodyReader {
  /** The type of a body by the request's headers. Throws as `bodyTypeOf` does, except that an HttpBody may be anything. */
  typeOf(headers: HeaderFields): BodyType;
  /** A body → fields of the message that holds it; undefined for an empty body. */
  read(body: Buffer, type: BodyType, context: MergeContext, origin?: TextOrigin): Buffer | undefined;
}

/** The reader of a rule with a body: for `*` of the request message, else of one field. */
export function compileBodyReader(binding: Binding, shared: TranscodeContext, rawBodies: boolean): BodyReader {
  const { body, method } = binding;
  const field = body.kind === 'field' ? body.path[body.path.length - 1]! : undefined;
  const message = field === undefined ? method.input : field.repeated ? undefined : field.message;
  if (rawBodies && message !== undefined && isHttpBody(message)) return rawReader(field, shared);
  const accepted = binding.httpMethod === 'QUERY' ? acceptQuery(binding) : undefined;
  const refusalHeaders: StatusError['headers'] = accepted === undefined ? [] : [['accept-query', accepted]];
  const label = body.kind === 'field' ? body.path.map(({ name }) => name).join('.') : '*';
  const readers: Record<Exclude<BodyKind, 'raw'>, BodyReader['read']> = {
    json: jsonReader(binding, field, label, shared),
    ...messageReaders(field, message, label, shared),
  };
  return {
    typeOf: (headers) => bodyTypeOf(headers, shared.options, refusalHeaders),
    read: (bytes, type, context, origin) =>
      readers[isJsonBody(bytes, type) ? 'json' : (type.kind as keyof typeof readers)](bytes, type, context, origin),
  };
}

/** True if a body is JSON: by its type, or, for a form, by its first byte (curl calls every body a form). */
export function isJsonBody(bytes: Buffer, { kind }: BodyType): boolean {
  if (kind !== 'form') return kind === 'json';
  const start = firstByte(bytes);
  return start < bytes.length && opensJson(bytes[start]!);
}

/** Puts any body into an HttpBody, byte for byte. */
function rawReader(field: FieldDescriptor | undefined, { buffers }: TranscodeContext): BodyReader {
  const out = buffers.body;
  return {
    typeOf: (headers) => ({ kind: 'raw', contentType: header(headers, 'content-type')?.trim() ?? '', boundary: '' }),
    read(data, { contentType }) {
      if (data.length === 0 && contentType === '') return undefined;
      out.reset();
      writeField(out, field, () => writeHttpBody(out, { contentType: contentType || DEFAULT_CONTENT_TYPE, data }));
      return out.take();
    },
  };
}

function jsonReader(
  binding: Binding,
  field: FieldDescriptor | undefined,
  label: string,
  { codec, options, buffers }: TranscodeContext,
): BodyReader['read'] {
  const out = buffers.body;
  const skipsEmptyString = options.emptyStringBodies && field !== undefined && !readsEmptyString(field);
  // To Envoy no body is `{}`, so that the field is set.
  const readsNothing = options.requestBinding === 'envoy' && field?.message !== undefined && !field.repeated;
  const fieldReader = field && codec.fieldReader(field);
  const read =
    fieldReader === undefined
      ? codec.reader(binding.method.input)
      : (json: Buffer, writer: Writer, origin?: TextOrigin): void => fieldReader(json, writer, label, origin);
  return (bytes, _type, _context, origin) => {
    if (bytes.length === 0) {
      if (!readsNothing) return undefined;
      bytes = EMPTY_OBJECT;
    }
    const start = firstByte(bytes);
    // Envoy calls white space a syntax error.
    if (start === bytes.length && options.requestBinding !== 'envoy') return undefined;
    if (skipsEmptyString && isEmptyString(bytes)) return undefined;
    out.reset();
    read(bytes, out, origin);
    return out.take();
  };
}

const EMPTY_OBJECT = Buffer.from('{}');

const QUOTE = 0x22;

/** True for `""` and white space. */
function isEmptyString(bytes: Buffer): boolean {
  const start = firstByte(bytes);
  return bytes[start] === QUOTE && /^""\s*$/.test(bytes.toString('latin1', start, start + 100));
}

/** True for types that have `""` as a value. */
function readsEmptyString({ type, repeated, map, message }: FieldDescriptor): boolean {
  if (repeated || map !== undefined) return false;
  if (type !== 'message') return type === 'string' || type === 'bytes';
  return /^google\.protobuf\.(StringValue|BytesValue|Value|FieldMask)$/.test(message!.fullName);
}

/** The readers of bodies that are not JSON; these can only give whole messages. */
function messageReaders(
  field: FieldDescriptor | undefined,
  message: MessageDescriptor | undefined,
  label: string,
  { codec, options, buffers }: TranscodeContext,
): Record<'form' | 'multipart' | 'protobuf', BodyReader['read']> {
  const out = buffers.body;
  if (message === undefined) {
    const refuse = (bytes: Buffer): undefined => {
      if (bytes.length === 0) return undefined;
      throw StatusError.http(415, `the body of this route is "${label}", which is no message; send it as JSON`);
    };
    return { form: refuse, multipart: refuse, protobuf: refuse };
  }
  const names = new ParameterResolver('form field', message, [], codec, options);
  const form = new QueryBinder(names, options);
  const written = (context: MergeContext, bind: (node: MessageNode) => void): Buffer => {
    const root = new MessageNode();
    bind(field === undefined ? root : root.child(field));
    out.reset();
    root.write(out, context);
    return out.take();
  };
  return {
    form: (bytes, _type, context) =>
      firstByte(bytes) === bytes.length
        ? undefined
        : written(context, (node) => form.bind(formText(bytes), node, context.violations)),
    multipart: (bytes, { boundary }, context) =>
      bytes.length === 0
        ? undefined
        : written(context, (node) =>
            bindParts(parseMultipart(bytes, boundary, options.maxFormParts), names, node, context.violations),
          ),
    protobuf(bytes) {
      if (bytes.length === 0) return undefined;
      checkWire(message, bytes, options.maxJsonDepth);
      if (field === undefined) return bytes;
      out.reset();
      writeField(out, field, () => out.raw(bytes));
      return out.take();
    },
  };
}

/** Writes the content of a message, as a tagged field if there is one. */
function writeField(out: Writer, field: FieldDescriptor | undefined, writeContent: () => void): void {
  if (field === undefined) {
    writeContent();
    return;
  }
  const tag = (wireType: number): number => makeTag(field.number, wireType);
  if (field.delimited) {
    out.uint32(tag(WireType.START_GROUP));
    writeContent();
    out.uint32(tag(WireType.END_GROUP));
    return;
  }
  out.uint32(tag(WireType.BYTES));
  const mark = out.begin();
  writeContent();
  out.finish(mark);
}

function formText(bytes: Buffer): string {
  if (!isUtf8(bytes)) {
    throw new StatusError(
      Code.INVALID_ARGUMENT,
      'the form has bytes in it that are not UTF-8; percent-encode them as UTF-8, or let curl do it: curl --data-urlencode',
    );
  }
  let end = bytes.length;
  while (end > 0 && (bytes[end - 1] === 0x0a || bytes[end - 1] === 0x0d)) end--;
  return bytes.toString('utf8', bomLength(bytes), end);
}

/** Index of the first byte after a byte order mark and white space. */
function firstByte(bytes: Buffer): number {
  let index = bomLength(bytes);
  while (index < bytes.length && isWhiteSpace(bytes[index]!)) index++;
  return index;
}

function isWhiteSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** `{`, `[` or `"`. */
function opensJson(byte: number): boolean {
  return byte === 0x7b || byte === 0x5b || byte === QUOTE;
}

/** True for a body without content: empty, `{}`, or `""` with `empty_string_bodies`; white space is ignored. */
export function isBlank(bytes: Buffer, { emptyStringBodies }: Pick<TranscodeOptions, 'emptyStringBodies'>): boolean {
  if (bytes.length === 0 || (emptyStringBodies && isEmptyString(bytes))) return true;
  return /^\s*(?:\{\s*\}\s*)?$/.test(bytes.toString('latin1'));
}

/** The violation of a body that the rule does not take. */
export function unexpectedBody(binding: Binding): FieldViolation {
  return {
    field: 'body',
    description:
      `${binding.httpMethod} ${binding.template.source} takes no body; ` +
      'put the fields into the path and the query, and send no body (curl: leave -d out, or use -G)',
  };
}
