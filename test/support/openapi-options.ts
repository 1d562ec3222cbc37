/** The options of documents, as they are by default. */
import type { OpenApiOptions } from '../../lib/openapi/index.js';

export const plainOptions: OpenApiOptions = {
  preserveProtoFieldNames: false,
  int64AsNumbers: false,
  alwaysPrintEnumsAsInts: false,
  alwaysPrintAllFields: false,
  envelope: 'none',
  errorFormat: 'status',
  streamFormat: 'array',
  closeErrorArray: false,
  urlUnescape: 'all_characters_except_slash',
};
