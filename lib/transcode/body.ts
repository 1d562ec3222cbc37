/**
 * Request bodies → the tagged fields they stand for. Decides by content type and first byte what a body is; where the
 * fields belong in the request message is `request`'s matter.
 */
import { isUtf8 } from 'node:buffer';
import { header, parseMediaType, type HeaderFields } from '../headers.js';
import type { Binding } from '../rule/index.js';
import { Code, type FieldViolation, StatusError } from '../status.js';
import { quote } from '../uri.js';
import type { Writer } from '../wire/index.js';
import type { TranscodeContext } from './context.js';
import { QueryBinder } from './query.js';
import { MessageNode, type WeaveContext } from './weave.js';

/** What the content type says; a form whose first byte opens JSON is JSON after all (curl's default type). */
export type BodyKind = 'json' | 'form';

const ACCEPTED = 'application/json (or any +json), application/x-www-form-urlencoded';

/**
 * The kind of a request's body.
 * @throws StatusError 415 for a type, charset or content coding that is not read.
 */
export function bodyKindOf(headers: HeaderFields): BodyKind {
  const coding = header(headers, 'content-encoding')?.trim().toLowerCase() ?? 'identity';
  if (coding !== 'identity' && coding !== '') {
    throw StatusError.http(415, `content-encoding ${quote(coding)} is not read here; send the body uncompressed`, {
      headers: [['accept-encoding', 'identity']],
    });
  }
  const text = header(headers, 'content-type');
  if (text === undefined || text.trim() === '') return 'json';
  const { type, parameters } = parseMediaType(text);
  const charset = parameters.get('charset')?.toLowerCase() ?? 'utf-8';
  if (charset !== 'utf-8' && charset !== 'utf8') {
    throw StatusError.http(415, `charset ${quote(charset)} is not read here; send UTF-8`);
  }
  if (type === 'application/json' || /^[^/\s]+\/[^/\s]+\+json$/.test(type)) return 'json';
  if (type === 'application/x-www-form-urlencoded') return 'form';
  throw StatusError.http(415, `content-type ${quote(text)} is not read here; send one of: ${ACCEPTED}`);
}

/** Turns a body into the fields of the message that holds it; an empty body gives no fields. */
export type BodyReader = (body: Buffer, kind: BodyKind, context: WeaveContext) => Buffer | undefined;

/** The reader of a rule that takes a body: under `*` the request message itself, else one field of it. */
export function compileBodyReader(binding: Binding, { codec, options, buffers }: TranscodeContext): BodyReader {
  const out = buffers.body;
  const { body } = binding;
  const field = body.kind === 'field' ? body.path[body.path.length - 1]! : undefined;
  const label = body.kind === 'field' ? body.path.map(({ name }) => name).join('.') : '*';
  const formRoot = field === undefined ? binding.method.input : field.repeated ? undefined : field.message;
  const form = formRoot === undefined ? undefined : new QueryBinder('form field', formRoot, [], codec, options);
  const read =
    field === undefined
      ? (json: Buffer, writer: Writer): void => codec.reader(binding.method.input)(json, writer)
      : (json: Buffer, writer: Writer): void => codec.fieldReader(field)(json, writer, label);

  return (bytes, kind, context) => {
    const start = firstByte(bytes);
    if (start === bytes.length) return undefined;
    out.reset();
    if (kind === 'json' || opensJson(bytes[start]!)) {
      read(bytes, out);
      return out.take();
    }
    if (form === undefined) {
      throw StatusError.http(415, `the body of this route is "${label}", which is no message; send it as JSON`);
    }
    const node = new MessageNode();
    form.bind(formText(bytes), field === undefined ? node : node.child(field), context.violations);
    node.write(out, context);
    return out.take();
  };
}

function formText(bytes: Buffer): string {
  if (!isUtf8(bytes)) {
    throw new StatusError(
      Code.INVALID_ARGUMENT,
      'the form has bytes in it that are not UTF-8; percent-encode them as UTF-8, or let curl do it: curl --data-urlencode',
    );
  }
  return bytes.toString('utf8', bomLength(bytes)).replace(/[\r\n]+$/, '');
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
  return byte === 0x7b || byte === 0x5b || byte === 0x22;
}

/** True for a body that says nothing: empty or `{}`, white space ignored. */
export function isBlank(bytes: Buffer): boolean {
  return bytes.length === 0 || /^\s*(?:\{\s*\}\s*)?$/.test(bytes.toString('latin1'));
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
