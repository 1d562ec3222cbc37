export { diskFiles, memoryFiles, type FileReader, type FolderEntry } from './files.js';
export { loadSchema, type SchemaSources } from './load.js';
export type * from './types.js';
