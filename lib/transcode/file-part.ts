/** A file of a multipart form → the field that takes it: bytes, a BytesValue, or an HttpBody with the file's type. */
import { type TextReader, wrappedField } from '../codec/index.js';
import type { FieldDescriptor } from '../schema/types.js';
import { type Writer, WireType } from '../wire/index.js';
import { DEFAULT_CONTENT_TYPE, isHttpBody, writeHttpBody } from './http-body.js';
import type { FormPart } from './multipart.js';

/** Writes the file as one value of the field; undefined where the field takes no files. */
export function fileReader(field: FieldDescriptor, { contentType, data }: FormPart): TextReader | undefined {
  const { message } = field;
  const tag = ((field.number << 3) | WireType.BYTES) >>> 0;
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
          out.uint32((1 << 3) | WireType.BYTES);
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
