export { diskFiles, memoryFiles, type FileReader, type FolderEntry } from './files.js';
export { loadSchema, type SchemaSources } from './load.js';
export {
  defaultReflectionOptions,
  type OpenReflection,
  type ReflectedSet,
  type ReflectionOptions,
  type ReflectionSession,
  reflectSchema,
} from './reflection.js';
export type * from './types.js';
