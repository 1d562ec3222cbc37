/** Schemas of error bodies, of each `error_format` and of `error_template`, and of PhotonCloud's envelope. */
import type { ErrorTemplate, JsonFormat } from '../commands.js';
import type { Json, JsonObject, OpenApiOptions } from './options.js';
import type { OwnComponent } from './names.js';
import type { SchemaBuilder } from './schemas.js';

const details: JsonObject = {
  type: 'array',
  description: 'What the service tells beyond the message; each with its `@type`.',
  items: {
    type: 'object',
    properties: { '@type': { type: 'string' } },
    required: ['@type'],
    additionalProperties: true,
  },
};
const message: JsonObject = { type: 'string', description: 'What was wrong, for a person.' };
const name: JsonObject = { type: 'string', description: 'Name of the gRPC status.', examples: ['NOT_FOUND'] };

const meta: JsonObject = {
  type: 'object',
  properties: {
    request_id: { type: 'string', description: 'As in the header x-request-id.' },
    timestamp: { type: 'string', format: 'date-time' },
  },
  required: ['request_id', 'timestamp'],
};

function object(properties: JsonObject, required: readonly string[]): JsonObject {
  return { type: 'object', properties, required };
}

interface ErrorShape {
  readonly component: OwnComponent;
  readonly contentType: string;
  readonly schema: (metaReference: () => JsonObject) => JsonObject;
}

const shapes: Readonly<Record<OpenApiOptions['errorFormat'], ErrorShape>> = {
  status: {
    component: 'Error',
    contentType: 'application/json',
    schema: () =>
      object({ code: { type: 'integer', description: 'gRPC status code.' }, message, details }, ['code', 'message']),
  },
  aip193: {
    component: 'ErrorResponse',
    contentType: 'application/json',
    schema: () =>
      object(
        {
          error: object({ code: { type: 'integer', description: 'HTTP status.' }, message, status: name, details }, [
            'code',
            'message',
            'status',
          ]),
        },
        ['error'],
      ),
  },
  text: { component: 'Error', contentType: 'text/plain', schema: () => ({ type: 'string' }) },
  problem: {
    component: 'Problem',
    contentType: 'application/problem+json',
    schema: () =>
      object(
        {
          type: { type: 'string', const: 'about:blank' },
          title: { type: 'string' },
          status: { type: 'integer', description: 'HTTP status.' },
          detail: message,
          code: name,
          details,
        },
        ['type', 'title', 'status', 'detail', 'code'],
      ),
  },
  photon: {
    component: 'ErrorEnvelope',
    contentType: 'application/json',
    schema: (metaReference) =>
      object({ error: object({ code: name, message, details }, ['code', 'message']), meta: metaReference() }, [
        'error',
        'meta',
      ]),
  },
};

/** The `default` response of every operation. */
export function errorResponse(schemas: SchemaBuilder, options: OpenApiOptions): JsonObject {
  const { contentType } = shapeOf(options);
  return { description: 'An error.', content: { [contentType]: { schema: errorReference(schemas, options) } } };
}

function shapeOf({ errorFormat, errorTemplate, errorContentType }: OpenApiOptions): ErrorShape {
  if (errorTemplate === undefined) return shapes[errorFormat];
  return {
    component: 'Error',
    contentType: (errorContentType ?? 'application/json').split(';')[0]!,
    schema: () => templateSchema(errorTemplate),
  };
}

/** Of what a text that is one command becomes; the others become a text. */
const commandSchemas: ReadonlyMap<string, JsonObject> = new Map(
  Object.entries({
    '%RESPONSE_CODE%': { type: 'integer', description: 'HTTP status.' },
    '%GRPC_STATUS_NUMBER%': { type: 'integer', description: 'gRPC status code.' },
    '%GRPC_STATUS(NUMBER)%': { type: 'integer', description: 'gRPC status code.' },
    '%GRPC_STATUS(SNAKE_STRING)%': name,
    '%MESSAGE%': message,
    '%DETAILS%': details,
    '%VIOLATIONS%': {
      type: 'array',
      description: 'What is wrong with which field of the request.',
      items: object({ field: { type: 'string' }, description: { type: 'string' } }, ['field', 'description']),
    },
  }),
);

/** Of what a template makes: each member is there, but for headers that a request may not have. */
function templateSchema(template: ErrorTemplate): JsonObject {
  const members = Object.entries(template);
  const isGiven = ([, value]: (typeof members)[number]): boolean =>
    typeof value !== 'string' || !/^%REQ\([^)]*\)(?::\d+)?%$/.test(value);
  return object(
    Object.fromEntries(members.map(([member, value]) => [member, formatSchema(value)])),
    members.filter(isGiven).map(([member]) => member),
  );
}

function formatSchema(format: JsonFormat): JsonObject {
  if (Array.isArray(format)) return { type: 'array', items: {} };
  if (typeof format === 'object' && format !== null) return templateSchema(format as ErrorTemplate);
  if (typeof format !== 'string') return { const: format };
  if (!format.includes('%')) return { type: 'string', const: format };
  return commandSchemas.get(format) ?? { type: 'string' };
}

function errorReference(schemas: SchemaBuilder, options: OpenApiOptions): JsonObject {
  const { component, schema } = shapeOf(options);
  return schemas.add(
    component,
    schema(() => metaSchema(schemas)),
  );
}

/** The last frame of a stream that fails after its start, which its member `error` distinguishes from messages. */
export function errorFrame(schemas: SchemaBuilder, options: OpenApiOptions): JsonObject {
  const error = errorReference(schemas, options);
  // These two shapes have that member already.
  const { errorFormat, errorTemplate } = options;
  const isMarked =
    errorTemplate === undefined
      ? errorFormat === 'aip193' || errorFormat === 'photon'
      : Object.hasOwn(errorTemplate, 'error');
  return isMarked ? error : object({ error }, ['error']);
}

/** The schema of an answer in the configured envelope. */
export function enveloped(schema: JsonObject, schemas: SchemaBuilder, { envelope }: OpenApiOptions): JsonObject {
  return envelope === 'none' ? schema : object({ data: schema, meta: metaSchema(schemas) }, ['data', 'meta']);
}

/** A sample of an answer in the configured envelope. */
export function envelopedSample(sample: Json, { envelope }: OpenApiOptions): Json {
  if (envelope === 'none') return sample;
  return { data: sample, meta: { request_id: 'my-request', timestamp: '2026-01-31T12:00:00Z' } };
}

function metaSchema(schemas: SchemaBuilder): JsonObject {
  return schemas.add('Meta', meta);
}
