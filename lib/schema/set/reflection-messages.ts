/**
 * The messages of grpc.reflection.v1 and v1alpha, which are identical. `reflection` sends requests, and the gateway answers
 * them. (https://github.com/grpc/grpc-proto/blob/master/grpc/reflection/v1/reflection.proto)
 */
import { bytes, defineMessage, list, optional, packed, text, uint32 } from '../../wire/index.js';

/** Requests an extension by its message and number. */
export const ExtensionRequest = defineMessage({ containingType: [1, text], extensionNumber: [2, uint32] });

/** ServerReflectionRequest. */
export const ReflectionRequest = defineMessage(
  {
    host: [1, text],
    fileByFilename: [3, optional(text)],
    fileContainingSymbol: [4, optional(text)],
    fileContainingExtension: [5, optional(ExtensionRequest)],
    allExtensionNumbersOfType: [6, optional(text)],
    listServices: [7, optional(text)],
  },
  ['fileByFilename', 'fileContainingSymbol', 'fileContainingExtension', 'allExtensionNumbersOfType', 'listServices'],
);

/** ServerReflectionResponse. */
export const ReflectionResponse = defineMessage({
  validHost: [1, text],
  originalRequest: [2, bytes],
  fileDescriptorResponse: [4, optional(defineMessage({ fileDescriptorProto: [1, list(bytes)] }))],
  allExtensionNumbersResponse: [
    5,
    optional(defineMessage({ baseTypeName: [1, text], extensionNumber: [2, packed(uint32)] })),
  ],
  listServicesResponse: [6, optional(defineMessage({ service: [1, list(defineMessage({ name: [1, text] }))] }))],
  errorResponse: [7, optional(defineMessage({ errorCode: [1, uint32], errorMessage: [2, text] }))],
});

/** The fields of a google.protobuf.FileDescriptorProto that decide which files are requested next. */
export const FileOutline = defineMessage({
  name: [1, text],
  package: [2, text],
  dependency: [3, list(text)],
  service: [6, list(defineMessage({ name: [1, text] }))],
  /** Files from which only options are used (edition 2024). */
  optionDependency: [15, list(text)],
});
