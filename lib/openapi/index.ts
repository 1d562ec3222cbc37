export { curlLine } from './curl.js';
export { openApiDocument, printDocument, titleOf } from './document.js';
export type { DocumentedPart, DocumentInfo, JsonObject, OpenApiOptions } from './options.js';
