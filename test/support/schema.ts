/**
 * Schemas for tests, from text. Imports of google/protobuf, google/api, google/rpc and photongate resolve as they do
 * for users.
 */
import { fileURLToPath } from 'node:url';
import { diskFiles, loadSchema, memoryFiles, type Schema, type SchemaSources } from '../../lib/schema/index.js';
import { ProblemList } from '../../lib/status.js';

export const annotationsRoot = fileURLToPath(new URL('../../annotations', import.meta.url));

/** What `loadSchema` is told besides the files; by default every given `.proto` file is named, in the order given. */
export type SchemaTextOptions = Partial<Pick<SchemaSources, 'protos' | 'protoPaths' | 'descriptorSets'>>;

export interface LoadedText {
  readonly schema: Schema;
  readonly problems: ProblemList;
}

/** Loads files that lie in memory below `/memory` (one text is `test.proto`), whatever is wrong with them. */
export function loadText(
  text: string | Readonly<Record<string, string | Uint8Array>>,
  options: SchemaTextOptions = {},
): LoadedText {
  const files = typeof text === 'string' ? { 'test.proto': text } : text;
  const problems = new ProblemList();
  const sources: SchemaSources = {
    protos: options.protos ?? Object.keys(files).filter((name) => name.endsWith('.proto')),
    protoPaths: options.protoPaths ?? [],
    descriptorSets: options.descriptorSets ?? [],
    workingDirectory: '/memory',
    annotationsRoot,
  };
  return { schema: loadSchema(sources, problems, memoryFiles(files, '/memory', diskFiles)), problems };
}

/**
 * The schema of one text, or of several by file name.
 * @throws ConfigError with all problems.
 */
export function schemaFromText(
  text: string | Readonly<Record<string, string | Uint8Array>>,
  options: SchemaTextOptions = {},
): Schema {
  const { schema, problems } = loadText(text, options);
  problems.throwIfAny();
  return schema;
}
