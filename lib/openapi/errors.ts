/** Error bodies and PhotonCloud's envelope as schemas: the shapes of `transcode`, one for each `error_format`. */
import type { JsonObject, OpenApiOptions } from './options.js';
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
  readonly component: string;
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
export function errorResponse(schemas: SchemaBuilder, { errorFormat }: OpenApiOptions): JsonObject {
  const { component, contentType, schema } = shapes[errorFormat];
  const reference = schemas.add(
    component,
    schema(() => metaSchema(schemas)),
  );
  return { description: 'An error.', content: { [contentType]: { schema: reference } } };
}

/** What an element of a stream is where the stream fails after its start. */
export function errorSchema(schemas: SchemaBuilder, options: OpenApiOptions): JsonObject {
  errorResponse(schemas, options);
  return { $ref: `#/components/schemas/${shapes[options.errorFormat].component}` };
}

/** A success in the configured envelope. */
export function enveloped(schema: JsonObject, schemas: SchemaBuilder, { envelope }: OpenApiOptions): JsonObject {
  return envelope === 'none' ? schema : object({ data: schema, meta: metaSchema(schemas) }, ['data', 'meta']);
}

function metaSchema(schemas: SchemaBuilder): JsonObject {
  return schemas.add('Meta', meta);
}
