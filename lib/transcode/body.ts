/**
 * Request bodies → the tagged fields they stand for. Decides by content type and first byte what a body is; where the
 * fields belong in the request message is `request`'s matter.
 */
import { isUtf8 } from 'node:buffer';
import { checkWire } from '../codec/index.js';
import { header, parseMediaType, type HeaderFields } from '../headers.js';
import type { Binding } from '../rule/index.js';
import type { FieldDescriptor, MessageDescriptor } from '../schema/types.js';
import { Code, type FieldViolation, StatusError } from '../status.js';
import { quote } from '../uri.js';
import { type Writer, WireType } from '../wire/index.js';
import type { TranscodeContext } from './context.js';
import { DEFAULT_CONTENT_TYPE, isHttpBody, writeHttpBody } from './http-body.js';
import { parseMultipart } from './multipart.js';
import type { TranscodeOptions } from './options.js';
import { QueryBinder } from './query.js';
import { MessageNode, type WeaveContext } from './weave.js';

/** What the content type says; a form whose first byte opens JSON is JSON after all (curl's default type). */
export type BodyKind = 'json' | 'form' | 'multipart' | 'protobuf' | 'raw';

/** What the head says of a body. */
export interface BodyType {
  readonly kind: BodyKind;
  /** As it was sent; '' where there was none. */
  readonly contentType: string;
  /** Of `multipart`. */
  readonly boundary: string;
}

const ACCEPTED =
  'application/json (or any +json), application/x-www-form-urlencoded, multipart/form-data, application/x-protobuf';

/** Of a request without a body, and of one that does not say. */
export const jsonType: BodyType = Object.freeze({ kind: 'json', contentType: '', boundary: '' });

/**
 * The type of a request's body.
 * @throws StatusError 415 for a type or charset that is not read, 400 for a multipart form without a boundary.
 */
function bodyTypeOf(headers: HeaderFields): BodyType {
  const contentType = header(headers, 'content-type') ?? '';
  if (contentType.trim() === '') return jsonType;
  const { type, parameters } = parseMediaType(contentType);
  const charset = parameters.get('charset')?.toLowerCase() ?? 'utf-8';
  if (charset !== 'utf-8' && charset !== 'utf8') {
    throw StatusError.http(415, `charset ${quote(charset)} is not read here; send UTF-8`);
  }
  const kind = kindOf(type);
  if (kind === undefined) {
    throw StatusError.http(415, `content-type ${quote(contentType)} is not read here; send one of: ${ACCEPTED}`);
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
    case 'application/json':
      return 'json';
    case 'application/x-www-form-urlencoded':
      return 'form';
    case 'multipart/form-data':
      return 'multipart';
    case 'application/x-protobuf':
    case 'application/protobuf':
      return 'protobuf';
    default:
      return /^[^/\s]+\/[^/\s]+\+json$/.test(type) ? 'json' : undefined;
  }
}

/** Reads the bodies of one rule. */
export interface BodyReader {
  /** What a body is, by the request's headers. Throws as `bodyTypeOf` does; an HttpBody is anything. */
  typeOf(headers: HeaderFields): BodyType;
  /** A body → fields of the message that holds it; an empty body gives none. */
  read(body: Buffer, type: BodyType, context: WeaveContext): Buffer | undefined;
}

/** The reader of a rule that takes a body: under `*` the request message itself, else one field of it. */
export function compileBodyReader(binding: Binding, shared: TranscodeContext, rawBodies: boolean): BodyReader {
  const { body, method } = binding;
  const field = body.kind === 'field' ? body.path[body.path.length - 1]! : undefined;
  const message = field === undefined ? method.input : field.repeated ? undefined : field.message;
  if (rawBodies && message !== undefined && isHttpBody(message)) return rawReader(field, shared);
  const label = body.kind === 'field' ? body.path.map(({ name }) => name).join('.') : '*';
  const readers: Record<Exclude<BodyKind, 'raw'>, BodyReader['read']> = {
    json: jsonReader(binding, field, label, shared),
    ...messageReaders(field, message, label, shared),
  };
  return {
    typeOf: bodyTypeOf,
    read: (bytes, type, context) =>
      readers[isJson(bytes, type) ? 'json' : (type.kind as keyof typeof readers)](bytes, type, context),
  };
}

/** True where a body is JSON: by its type, or by the first byte of what only calls itself a form. */
export function isJson(bytes: Buffer, { kind }: BodyType): boolean {
  if (kind !== 'form') return kind === 'json';
  const start = firstByte(bytes);
  return start < bytes.length && opensJson(bytes[start]!);
}

/** An HttpBody takes what comes, as it comes. */
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
  const read =
    field === undefined
      ? (json: Buffer, writer: Writer): void => codec.reader(binding.method.input)(json, writer)
      : (json: Buffer, writer: Writer): void => codec.fieldReader(field)(json, writer, label);
  return (bytes) => {
    const start = firstByte(bytes);
    if (start === bytes.length) return undefined;
    if (skipsEmptyString && isEmptyString(bytes)) return undefined;
    out.reset();
    read(bytes, out);
    return out.take();
  };
}

const QUOTE = 0x22;

/** True for `""` and white space. */
function isEmptyString(bytes: Buffer): boolean {
  const start = firstByte(bytes);
  return bytes[start] === QUOTE && /^""\s*$/.test(bytes.toString('latin1', start, start + 100));
}

/** True for types of which `""` is a value. */
function readsEmptyString({ type, repeated, map, message }: FieldDescriptor): boolean {
  if (repeated || map !== undefined) return false;
  if (type !== 'message') return type === 'string' || type === 'bytes';
  return /^google\.protobuf\.(StringValue|BytesValue|Value|FieldMask)$/.test(message!.fullName);
}

/** The readers of bodies that are whole messages and no JSON. */
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
  const form = new QueryBinder('form field', message, [], codec, options);
  const written = (context: WeaveContext, bind: (node: MessageNode) => void): Buffer => {
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
            form.bindParts(parseMultipart(bytes, boundary, options.maxFormParts), node, context.violations),
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

/** Writes a message as a field with its tag, or bare. */
function writeField(out: Writer, field: FieldDescriptor | undefined, writeContent: () => void): void {
  if (field === undefined) {
    writeContent();
    return;
  }
  const tag = (wireType: number): number => ((field.number << 3) | wireType) >>> 0;
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

/** Index of the first byte behind a BOM and white space. */
function firstByte(bytes: Buffer): number {
  let index = bomLength(bytes);
  while (index < bytes.length && isWhiteSpace(bytes[index]!)) index++;
  return index;
}

function bomLength(bytes: Buffer): number {
  return bytes.length >= 3 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
}

function isWhiteSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** `{`, `[` or `"`. */
function opensJson(byte: number): boolean {
  return byte === 0x7b || byte === 0x5b || byte === QUOTE;
}

/** True for a body that says nothing: empty or `{}`, and with `empty_string_bodies` `""`; white space ignored. */
export function isBlank(bytes: Buffer, { emptyStringBodies }: Pick<TranscodeOptions, 'emptyStringBodies'>): boolean {
  if (bytes.length === 0 || (emptyStringBodies && isEmptyString(bytes))) return true;
  return /^\s*(?:\{\s*\}\s*)?$/.test(bytes.toString('latin1'));
}

/** The violation of a body where the rule has none. */
export function unexpectedBody(binding: Binding): FieldViolation {
  return {
    field: 'body',
    description:
      `${binding.httpMethod} ${binding.template.source} takes no body; ` +
      'put the fields into the path and the query, and send no body (curl: leave -d out, or use -G)',
  };
}
