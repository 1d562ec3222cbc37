export { diskFiles, memoryFiles, type FileReader, type FolderEntry } from './files.js';
export { labelsIn } from './link/visibility.js';
export { loadSchema, type SchemaSources } from './load.js';
export {
  listServices,
  type OpenReflection,
  type ReflectedSet,
  type ReflectionSession,
  reflectSchema,
} from './set/reflection.js';
export { openSession } from './set/reflection-session.js';
export { type ReflectionOptions, reflectionOptions } from './set/reflection-options.js';
export type * from './types.js';
export { ReflectionRequest, ReflectionResponse } from './set/reflection-messages.js';
