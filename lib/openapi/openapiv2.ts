/** Options of protoc-gen-openapiv2, in ProtoJSON → parts of an OpenAPI 3.1 document. */
import type { FieldDescriptor, MessageDescriptor } from '../schema/types.js';
import { compact, type FieldNotes, type Json, type JsonObject, objectsOf, type OperationNotes } from './options.js';

/** `Swagger` */
export function documentNotes(swagger: JsonObject): JsonObject {
  const { info, tags, externalDocs, security, securityDefinitions, responses } = swagger;
  const { security: schemes } = object(securityDefinitions);
  return compact({
    info: info && plain(object(info)),
    servers: serversOf(swagger),
    tags: tags && objectsOf(tags).map(plain),
    externalDocs,
    security: security && requirements(security),
    securitySchemes: schemes && mapped(object(schemes), securityScheme),
    responses: responses && mapped(object(responses), responseNotes),
    ...extensions(swagger),
  });
}

/** `Tag` */
export function tagNotes(tag: JsonObject): JsonObject {
  return plain(tag);
}

/** `Operation` */
export function operationNotes(operation: JsonObject): OperationNotes {
  const { tags, summary, description, externalDocs, operationId, deprecated, security, responses, parameters } =
    operation;
  return {
    ...compact({ tags, summary, description, externalDocs, operationId, deprecated }),
    ...(security === undefined ? {} : { security: requirements(security) }),
    parameters: objectsOf(object(parameters)['headers']).map(headerParameter),
    responses: mapped(object(responses), responseNotes),
    extensions: extensions(operation),
  };
}

/** `Schema` with its `JSONSchema`, or `EnumSchema`. @param message whose fields `required` names */
export function schemaNotes(schema: JsonObject, message: MessageDescriptor | undefined): JsonObject {
  const { required } = schema;
  const names = Array.isArray(required) ? (required as readonly string[]) : [];
  return compact({
    ...keywords(schema, false),
    required: names.length === 0 ? undefined : names.map((name) => message?.field(name)?.name ?? name),
  });
}

/** `JSONSchema` of a field: what constrains one value holds for the elements of a list. */
export function fieldNotes(schema: JsonObject, field: FieldDescriptor): FieldNotes {
  const isText = /^(?:string|bytes|enum|.*64)$/.test(field.type) && !field.repeated && field.map === undefined;
  const all = keywords(schema, isText);
  const { required } = schema;
  const isRequired = Array.isArray(required) && required.some((name) => name === field.name || name === field.jsonName);
  if (!field.repeated) return { schema: all, items: {}, isRequired };
  const isOfItem = ([name]: [string, Json]): boolean => ITEM_KEYWORDS.has(name);
  const entries = Object.entries<Json>(all);
  return {
    schema: Object.fromEntries(entries.filter((entry) => !isOfItem(entry))),
    items: Object.fromEntries(entries.filter(isOfItem)),
    isRequired,
  };
}

const ITEM_KEYWORDS: ReadonlySet<string> = new Set([
  ...['format', 'pattern', 'minLength', 'maxLength', 'enum', 'multipleOf'],
  ...['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'],
]);

/** @param isText the value is a string, whatever it looks like */
function keywords(schema: JsonObject, isText: boolean): JsonObject {
  const { title, description, readOnly, externalDocs, pattern, format, uniqueItems, enum: values } = schema;
  const value = (text: Json | undefined): Json | undefined =>
    text === undefined ? undefined : isText ? text : parsed(text);
  const { example, maximum, exclusiveMaximum, minimum, exclusiveMinimum } = schema;
  const number = (name: string): Json | undefined => (schema[name] === undefined ? undefined : Number(schema[name]));
  return compact({
    ...{ title, description, readOnly, externalDocs, pattern, format, uniqueItems, enum: values },
    default: value(schema['default']),
    examples: example === undefined ? undefined : [value(example)!],
    multipleOf: schema['multipleOf'],
    [exclusiveMaximum === true ? 'exclusiveMaximum' : 'maximum']: maximum,
    [exclusiveMinimum === true ? 'exclusiveMinimum' : 'minimum']: minimum,
    ...Object.fromEntries(COUNTS.map((name) => [name, number(name)])),
    ...extensions(schema),
  });
}

/** 64-bit numbers, which ProtoJSON has as strings. */
const COUNTS = ['maxLength', 'minLength', 'maxItems', 'minItems', 'maxProperties', 'minProperties'];

/** JSON in a string; the string itself if it is none. */
function parsed(text: Json): Json {
  if (typeof text !== 'string') return text;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}

function object(value: Json | undefined): JsonObject {
  return (value ?? {}) as JsonObject;
}

function mapped(values: JsonObject, make: (value: JsonObject) => JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, make(object(value))]));
}

/** A message whose members have the names of OpenAPI. */
function plain(message: JsonObject): JsonObject {
  const { extensions: _, ...members } = message;
  return { ...members, ...extensions(message) };
}

/** Only `x-…` may stand in a document beside its own members. */
function extensions({ extensions: found }: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(object(found)).filter(([name]) => name.startsWith('x-')));
}

/** Without a host there is none: the document's own server is where it was loaded from. */
function serversOf({ host, basePath = '', schemes = [] }: JsonObject): Json | undefined {
  if (typeof host !== 'string') return undefined;
  const names = (schemes as readonly string[]).map((name) => name.toLowerCase()).filter((name) => name !== 'unknown');
  return (names.length === 0 ? ['https'] : names).map((name) => ({ url: `${name}://${host}${basePath as string}` }));
}

/** Of a requirement without schemes nothing is left: nobody needs anything. */
function requirements(security: Json): JsonObject[] {
  return objectsOf(security).flatMap(({ securityRequirement }) => {
    const found = mapped(object(securityRequirement), ({ scope = [] }) => scope as unknown as JsonObject);
    return Object.keys(found).length === 0 ? [] : [found];
  });
}

const IN: Readonly<Record<string, string>> = { IN_QUERY: 'query', IN_HEADER: 'header' };
const FLOWS: Readonly<Record<string, string>> = {
  FLOW_IMPLICIT: 'implicit',
  FLOW_PASSWORD: 'password',
  FLOW_APPLICATION: 'clientCredentials',
  FLOW_ACCESS_CODE: 'authorizationCode',
};

function securityScheme(scheme: JsonObject): JsonObject {
  const { type, description, name, in: place, flow, authorizationUrl, tokenUrl, scopes } = scheme;
  const more = extensions(scheme);
  if (type === 'TYPE_BASIC') return compact({ type: 'http', scheme: 'basic', description, ...more });
  if (type === 'TYPE_API_KEY') return compact({ type: 'apiKey', in: IN[place as string], name, description, ...more });
  const details = compact({ authorizationUrl, tokenUrl, scopes: object(scopes)['scope'] ?? {} });
  const flows = { [FLOWS[flow as string] ?? 'implicit']: details };
  return compact({ type: 'oauth2', description, flows, ...more });
}

function headerParameter({ name, description, type, format, required }: JsonObject): JsonObject {
  return compact({
    name,
    in: 'header',
    description,
    required,
    schema: compact({ type: typeof type === 'string' ? type.toLowerCase() : 'string', format }),
  });
}

function responseNotes(response: JsonObject): JsonObject {
  const { description, schema, headers, examples } = response;
  const example = object(examples)['application/json'];
  return compact({
    description,
    headers: headers && mapped(object(headers), responseHeader),
    schema: schema && typedSchema(object(object(schema)['jsonSchema'])),
    example: example === undefined ? undefined : parsed(example),
    ...extensions(response),
  });
}

function responseHeader({ description, type, format, default: value, pattern }: JsonObject): JsonObject {
  const schema = compact({ type, format, pattern, default: value === undefined ? undefined : parsed(value) });
  return compact({ description, schema });
}

/** The schema of a body that the proxy knows nothing of; `$ref` is the full name of a type. */
function typedSchema(schema: JsonObject): JsonObject {
  const { ref, type } = schema;
  if (typeof ref === 'string') return { $ref: ref };
  const types = ((type ?? []) as readonly string[]).map((name) => name.toLowerCase());
  return compact({ type: types.length < 2 ? types[0] : types, ...keywords(schema, false) });
}

/** Members that the proxy decides, or that OpenAPI 3 does not have. */
const IGNORED: Readonly<Record<string, readonly string[]>> = {
  swagger: ['consumes', 'produces', 'schemes', 'basePath'],
  operation: ['consumes', 'produces', 'schemes'],
  schema: ['discriminator'],
  field: ['type', 'array', 'ref', 'fieldConfiguration'],
  enum: ['ref', 'required'],
};

/** The members of an option that documents do not follow. @param kind `swagger`, `operation`, `schema`, `field`, `enum` or `tag` */
export function ignoredMembers(kind: string, option: JsonObject): readonly string[] {
  // With a host they make a server.
  const isServer = (name: string): boolean =>
    kind === 'swagger' && option['host'] !== undefined && /^(?:schemes|basePath)$/.test(name);
  return (IGNORED[kind] ?? []).filter((name) => option[name] !== undefined && !isServer(name));
}
