/**
 * The files of `annotations/` beside their originals: protoc must make the same descriptors of both. Comments, the
 * order of declarations and what protoc prints of deprecated features do not count.
 *
 *   node --import tsx test/tools/annotations.ts PROTOC [--partial] ROOT…
 *
 * PROTOC is the compiler, each ROOT a folder that originals are in by their import names. The first that has one counts.
 * A file without an original is a failure, but with --partial.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fromBinary, toBinary, toJson } from '@bufbuild/protobuf';
import {
  type DescriptorProto,
  type EnumDescriptorProto,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  type FieldOptions_FeatureSupport,
  FileDescriptorSetSchema,
} from '@bufbuild/protobuf/wkt';

const annotations = fileURLToPath(new URL('../../annotations/', import.meta.url));

/** No original: photongate's own. */
const own: ReadonlySet<string> = new Set(['photongate/http.proto']);

/** The Buf registry has the files of a repository under names of its own; no package has them. */
const renamed: ReadonlyMap<string, string> = new Map([
  ['gnostic/openapi/v3/annotations.proto', 'openapiv3/annotations.proto'],
  ['gnostic/openapi/v3/openapiv3.proto', 'openapiv3/OpenAPIv3.proto'],
]);

function main([protoc, ...rest]: string[]): number {
  const roots = rest.filter((argument) => argument !== '--partial');
  if (protoc === undefined || roots.length === 0) throw new Error('usage: annotations.ts PROTOC [--partial] ROOT…');
  const names = readdirSync(annotations, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.proto'))
    .sort();
  const folder = mkdtempSync(join(tmpdir(), 'photongate-originals-'));
  try {
    const missing = names.filter((name) => !own.has(name) && !copyOriginal(name, roots, folder));
    const compared = names.filter((name) => !own.has(name) && !missing.includes(name));
    const ours = compile(protoc, annotations, compared);
    const originals = compile(protoc, folder, compared);
    const different = compared.filter((name) => !sameFile(name, ours.get(name)!, originals.get(name)!));
    for (const name of missing) console.log(`no original: ${name}`);
    console.log(`${compared.length - different.length} files are as their originals, ${different.length} are not`);
    return different.length === 0 && (missing.length === 0 || rest.length > roots.length) ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Puts the original of a file into `folder`; false if no root has one. */
function copyOriginal(name: string, roots: readonly string[], folder: string): boolean {
  const source = renamed.get(name) ?? name;
  const root = roots.find((root) => existsSync(join(root, source)));
  if (root === undefined) return false;
  let text = readFileSync(join(root, source), 'utf8');
  if (renamed.has(name)) {
    text = text.replace(/^package openapi\.v3;/m, 'package gnostic.openapi.v3;');
    for (const [to, from] of renamed) text = text.replace(`import "${from}";`, `import "${to}";`);
  }
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), text);
  return true;
}

function compile(protoc: string, root: string, names: readonly string[]): ReadonlyMap<string, FileDescriptorProto> {
  const folder = mkdtempSync(join(tmpdir(), 'photongate-descriptors-'));
  try {
    const set = join(folder, 'set.binpb');
    // Warns of the one number that both names of gnostic's options have.
    execFileSync(protoc, ['-I', root, `--descriptor_set_out=${set}`, ...names], { stdio: 'pipe' });
    const { file } = fromBinary(FileDescriptorSetSchema, readFileSync(set));
    return new Map(file.map((file) => [file.name, sorted(file)]));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function sameFile(name: string, ours: FileDescriptorProto, original: FileDescriptorProto): boolean {
  const [left, right] = [ours, original].map((file) => Buffer.from(toBinary(FileDescriptorProtoSchema, file)));
  if (left!.equals(right!)) return true;
  console.log(`different: ${name}`);
  const [a, b] = [ours, original].map((file) =>
    JSON.stringify(toJson(FileDescriptorProtoSchema, file), null, 1).split('\n'),
  );
  const at = a!.findIndex((line, index) => line !== b![index]);
  // Options that are extensions are no part of the JSON.
  console.log(
    at < 0
      ? '  in its options'
      : `  ours: ${a!.slice(at, at + 3).join(' ')}\n  original: ${b!.slice(at, at + 3).join(' ')}`,
  );
  return false;
}

function sorted(file: FileDescriptorProto): FileDescriptorProto {
  const publics = file.publicDependency.map((index) => file.dependency[index]!);
  file.dependency.sort();
  file.publicDependency = publics.map((name) => file.dependency.indexOf(name)).sort();
  for (const message of file.messageType) sortMessage(message);
  for (const inner of file.enumType) sortEnum(inner);
  for (const list of [file.messageType, file.enumType, file.extension, file.service]) list.sort(byName);
  return file;
}

/** Not the oneofs: fields refer to them by index. */
function sortMessage(message: DescriptorProto): void {
  for (const nested of message.nestedType) sortMessage(nested);
  for (const inner of message.enumType) sortEnum(inner);
  for (const list of [message.nestedType, message.enumType, message.extension]) list.sort(byName);
  message.field.sort((a, b) => a.number - b.number);
  for (const { options } of message.field) dropProse(options?.featureSupport);
  message.reservedRange.sort((a, b) => a.start - b.start);
  message.reservedName.sort();
}

/** The first value of an enum is its default. */
function sortEnum({ value, reservedRange, reservedName }: EnumDescriptorProto): void {
  for (const { options } of value) dropProse(options?.featureSupport);
  value.splice(1, Infinity, ...value.slice(1).sort((a, b) => a.number - b.number));
  reservedRange.sort((a, b) => a.start - b.start);
  reservedName.sort();
}

/** What protoc prints of a feature that is on its way out. */
function dropProse(support: FieldOptions_FeatureSupport | undefined): void {
  if (support === undefined) return;
  support.deprecationWarning = '';
  support.removalError = '';
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

process.exitCode = main(process.argv.slice(2));
