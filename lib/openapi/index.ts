export { Constraints } from './constraints.js';
export { curlLine, partCurlLine } from './curl.js';
export { asyncApiDocument, hasStreams } from './asyncapi.js';
export { openApiDocument, printDocument } from './document.js';
export { titleOf } from './head.js';
export { ComponentNames } from './names.js';
export { SchemaNotes } from './notes.js';
export {
  compact,
  type ComponentNaming,
  type DocumentedPart,
  type DocumentInfo,
  type JsonObject,
  type OpenApiOptions,
  type SpecVersion,
} from './options.js';
export { queryFields, queryName } from './parameters.js';
export { takesSlashes } from './path.js';
export { SchemaBuilder, type SchemaForm, text } from './schemas.js';
