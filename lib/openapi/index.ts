export { curlLine, partCurlLine } from './curl.js';
export { openApiDocument, printDocument, titleOf } from './document.js';
export type { ComponentNaming, DocumentedPart, DocumentInfo, JsonObject, OpenApiOptions } from './options.js';
export { takesSlashes } from './path.js';
