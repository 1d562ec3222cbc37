/**
 * Streams of messages, up and down, in documents. OpenAPI 3.1 only has the schema of one message for lines and events;
 * OpenAPI 3.2 says by `itemSchema` what follows one another (https://spec.openapis.org/oas/v3.2.0.html#sequential-media-types).
 */
import { enveloped, envelopedSample, errorFrame } from './errors.js';
import { compact, type Json, type JsonObject, type OpenApiOptions, type SpecVersion } from './options.js';
import type { SchemaBuilder } from './schemas.js';

/** The media types of the body of a client stream. */
export function uploadContent(message: JsonObject, spec: SpecVersion): JsonObject {
  return {
    'application/json': { schema: { type: 'array', items: message } },
    'application/x-ndjson': spec === '3.1' ? { schema: message } : { itemSchema: message },
  };
}

/**
 * The media types of the answer of a server stream. Elements of an array and results of grpc-gateway's lines are never wrapped
 * in the envelope.
 * @param sample of one message
 */
export function answerContent(
  message: JsonObject,
  sample: Json,
  schemas: SchemaBuilder,
  options: OpenApiOptions,
  spec: SpecVersion,
): JsonObject {
  const error = errorFrame(schemas, options);
  const enclosed = enveloped(message, schemas, options);
  const frame: JsonObject = { anyOf: [enclosed, error] };
  const example = envelopedSample(sample, options);
  const json: JsonObject =
    options.streamFormat === 'grpc-gateway'
      ? { anyOf: [{ type: 'object', properties: { result: message }, required: ['result'] }, error] }
      : { type: 'array', items: options.closeErrorArray ? { anyOf: [message, error] } : message };
  if (spec === '3.1')
    return {
      'application/json': { schema: json },
      'application/x-ndjson': { schema: frame, example },
      'text/event-stream': { schema: frame, example },
      ...(options.streamFormat === 'json-seq' && { 'application/json-seq': { schema: frame, example } }),
    };
  const items = { itemSchema: frame, examples: { first: { dataValue: [example] } } };
  return {
    // One schema of a whole array, and of each of grpc-gateway's lines.
    'application/json': options.streamFormat === 'grpc-gateway' ? { itemSchema: json } : { schema: json },
    'application/x-ndjson': items,
    'text/event-stream': {
      itemSchema: { anyOf: [eventSchema(enclosed, undefined), eventSchema(error, 'error')] },
      examples: { first: { dataValue: [{ data: JSON.stringify(example) }] } },
    },
    'application/json-seq': items,
  };
}

/** A server-sent event, as OpenAPI sees it: its fields, with the JSON of a message as the text of `data`. */
function eventSchema(message: JsonObject, event: string | undefined): JsonObject {
  return {
    type: 'object',
    properties: compact({
      data: { type: 'string', contentMediaType: 'application/json', contentSchema: message },
      event: event === undefined ? { type: 'string' } : { const: event },
      id: { type: 'string' },
    }),
    required: event === undefined ? ['data'] : ['data', 'event'],
  };
}
