/** The options of the proxy's own pages. */
import {
  booleanValue,
  enumValue,
  option,
  optionalTextValue,
  optionalTimeValue,
  type OptionsOf,
  timeValue,
} from '../options/index.js';

/** The options of this room. */
export const builtinOptions = {
  health: option(booleanValue, {
    default: true,
    presets: { envoy: false },
    why: 'Envoy serves no pages of its own',
    group: 'routes',
    text: 'serve GET /health, and the probes /livez and /readyz',
  }),
  openapi: option(booleanValue, {
    default: true,
    presets: { envoy: false },
    group: 'routes',
    text: 'serve the OpenAPI document: /openapi.json, /openapi.yaml',
  }),
  asyncapi: option(booleanValue, {
    default: true,
    presets: { envoy: false },
    group: 'routes',
    text: 'serve the AsyncAPI document of streams, if there are any: /asyncapi.json, /asyncapi.yaml',
  }),
  openapi_title: option(optionalTextValue, {
    default: undefined,
    defaultText: 'as options of the schema say, else service or packages',
    group: 'routes',
    text: 'title of the OpenAPI document',
  }),
  openapi_version: option(optionalTextValue, {
    default: undefined,
    defaultText: 'as options of the schema say, else 1.0',
    group: 'routes',
    text: 'version of the API in the OpenAPI document',
  }),
  // Some code generators cannot handle dots in names.
  openapi_names: option(enumValue('dotted', 'underscored', 'short'), {
    default: 'dotted',
    group: 'routes',
    text: 'names of schemas in the OpenAPI document: a.v1.Book.Page, a_v1_Book_Page, or Book_Page (with the package if two types share it)',
  }),
  openapi_spec: option(enumValue('3.1', '3.2'), {
    default: '3.1',
    group: 'routes',
    text: 'version of OpenAPI that the document is written in; 3.2 tells of streams what 3.1 cannot, and fewer tools read it',
  }),
  // Needs `openapi`.
  docs: option(booleanValue, {
    default: true,
    presets: { envoy: false },
    group: 'routes',
    text: 'serve the interactive reference at /docs',
  }),
  index: option(booleanValue, {
    default: true,
    presets: { envoy: false },
    group: 'routes',
    text: 'serve the list of services and routes at /',
  }),
  grpc_reflection: option(booleanValue, {
    default: true,
    presets: { envoy: false },
    group: 'routes',
    text: 'answer grpc.reflection for the services that native gRPC can call, so that grpcurl needs no files',
  }),
  // After that the service is NOT_SERVING.
  health_timeout: option(timeValue, {
    default: 3000,
    group: 'limits',
    text: 'time in which a service must answer for /health',
  }),
  health_cache: option(optionalTimeValue, {
    default: 1000,
    group: 'limits',
    text: 'time for which /health keeps its answer instead of asking the services again',
  }),
};

/** The values of these options. */
export type BuiltinOptions = OptionsOf<typeof builtinOptions>;
