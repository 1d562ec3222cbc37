/** A schema as a binary FileDescriptorSet, each file behind what it imports: what `protoc --include_imports -o` writes. */
import type { FileDescriptor, Schema } from '../../lib/schema/index.js';
import { Writer } from '../../lib/wire/index.js';

/** All files of a schema, each behind what it imports. */
export function filesInOrder(schema: Schema): Set<FileDescriptor> {
  const files = new Set<FileDescriptor>();
  const add = (file: FileDescriptor): void => {
    if (files.has(file)) return;
    file.imports.forEach(add);
    files.add(file);
  };
  schema.files.forEach(add);
  return files;
}

export function descriptorSetOf(schema: Schema): Buffer {
  const out = new Writer();
  for (const { encoded } of filesInOrder(schema)) {
    out.uint32((1 << 3) | 2);
    out.uint32(encoded.length);
    out.raw(Buffer.from(encoded));
  }
  return out.take();
}
