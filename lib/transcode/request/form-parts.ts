/**
 * The parts of a multipart form → bound values. Values are taken verbatim; a file goes to a field of bytes, a BytesValue, or
 * an HttpBody with the file's content type.
 */
import { isUtf8 } from 'node:buffer';
import { isHttpBody, MAX_VIOLATIONS, type TextReader, wrappedField } from '../../codec/index.js';
import { parseMediaType } from '../../headers.js';
import type { FieldDescriptor } from '../../schema/types.js';
import type { FieldViolation } from '../../status.js';
import { quote } from '../../uri.js';
import { makeTag, WireType, type Writer } from '../../wire/index.js';
import { DEFAULT_CONTENT_TYPE, writeHttpBody } from '../http-body.js';
import { GivenFields, shortName } from './given-fields.js';
import type { MessageNode } from './merge.js';
import type { FormPart } from './multipart.js';
import { NameError } from './parameter-name.js';
import type { ParameterResolver } from './parameter-resolver.js';

/** Adds the values of the parts to `node`; what is wrong with names and values goes to `violations`. */
export function bindParts(
  parts: readonly FormPart[],
  names: ParameterResolver,
  node: MessageNode,
  violations: FieldViolation[],
): void {
  const given = new GivenFields(node, []);
  for (const part of parts) {
    if (violations.length >= MAX_VIOLATIONS) return;
    try {
      bindPart(part, names, given);
    } catch (error) {
      if (!(error instanceof NameError)) throw error;
      violations.push({ field: shortName(part.name), description: error.message });
    }
  }
  given.finish(violations);
}

function bindPart(part: FormPart, names: ParameterResolver, given: GivenFields): void {
  const { name } = part;
  const target = names.isIgnored(name) ? undefined : names.resolve(name);
  if (target === undefined) return;
  const { field } = target;
  const isWhole = isHttpBody(field.message);
  const read = part.isFile || isWhole ? fileReader(field, part) : target.read;
  if (read === undefined) {
    throw new NameError(
      `found a file, expected ${names.describe(field)}; send it as a plain value (curl: -F '${field.name}=<FILE')`,
    );
  }
  const text = part.isFile || isWhole ? '' : partText(part);
  given.add(target, name, { field, read, text, label: shortName(name), source: names.noun }, isWhole);
}

/** Why text in the charset of a content type is not read; undefined for UTF-8, which is the default. */
export function charsetProblem(parameters: ReadonlyMap<string, string>): string | undefined {
  const charset = parameters.get('charset')?.toLowerCase() ?? 'utf-8';
  return charset === 'utf-8' || charset === 'utf8'
    ? undefined
    : `charset ${quote(charset)} is not read here; send UTF-8`;
}

/** The value of a part that is not a file. */
function partText({ contentType, data }: FormPart): string {
  const problem = charsetProblem(parseMediaType(contentType).parameters);
  if (problem !== undefined) throw new NameError(problem);
  if (!isUtf8(data)) throw new NameError('the value is not UTF-8; encode it as UTF-8, or send it as a file');
  return data.toString('utf8');
}

/** Writes the file as one value of the field; undefined if the field takes no files. */
function fileReader(field: FieldDescriptor, { contentType, data }: FormPart): TextReader | undefined {
  const { message } = field;
  const tag = makeTag(field.number, WireType.BYTES);
  if (field.type === 'bytes') {
    return (_text, out) => {
      out.uint32(tag);
      out.bytes(data);
    };
  }
  if (message === undefined || field.delimited) return undefined;
  const writeContent = isHttpBody(message)
    ? (out: Writer): void => writeHttpBody(out, { contentType: contentType || DEFAULT_CONTENT_TYPE, data })
    : wrappedField(message)?.type === 'bytes'
      ? (out: Writer): void => {
          out.uint32(makeTag(1, WireType.BYTES));
          out.bytes(data);
        }
      : undefined;
  if (writeContent === undefined) return undefined;
  return (_text, out) => {
    out.uint32(tag);
    const mark = out.begin();
    writeContent(out);
    out.finish(mark);
  };
}
