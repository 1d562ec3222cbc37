/** Options of protoc-gen-openapiv2, in ProtoJSON → parts of an OpenAPI 3.1 document. */
import type { FieldDescriptor, MessageDescriptor } from '../schema/types.js';
import {
  COUNTS,
  extensions,
  fieldNotesOf,
  isTextField,
  mapped,
  type NoteFamily,
  type NoteKind,
  object,
  plain,
  requiredNames,
} from './note-family.js';
import { compact, type FieldNotes, type Json, type JsonObject, objectsOf, type OperationNotes } from './options.js';

const PREFIX = 'grpc.gateway.protoc_gen_openapiv2.options.openapiv2_';

/** `openapiv2_*` */
export const openapiv2: NoteFamily = {
  names: {
    document: `${PREFIX}swagger`,
    tag: `${PREFIX}tag`,
    operation: `${PREFIX}operation`,
    message: `${PREFIX}schema`,
    field: `${PREFIX}field`,
    enum: `${PREFIX}enum`,
  },
  document: documentNotes,
  tag: plain,
  operation: operationNotes,
  message: messageNotes,
  field: fieldNotes,
  enum: (option) => keywords(option, false),
  ignored: ignoredMembers,
};

/** `Swagger` */
function documentNotes(swagger: JsonObject): JsonObject {
  const { info, tags, externalDocs, security, securityDefinitions, responses } = swagger;
  const { security: schemes } = object(securityDefinitions);
  return compact({
    info: info && plain(object(info)),
    servers: serversOf(swagger),
    tags: tags && objectsOf(tags).map(plain),
    externalDocs,
    security: security && requirements(security),
    securitySchemes: schemes && mapped(typedSchemes(object(schemes)), securityScheme),
    responses: responses && mapped(object(responses), responseNotes),
    ...extensions(swagger),
  });
}

/** `Operation` */
function operationNotes(operation: JsonObject): OperationNotes {
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

/** `Schema` with its `JSONSchema` */
function messageNotes({ jsonSchema, ...outer }: JsonObject, message: MessageDescriptor): JsonObject {
  const schema = { ...object(jsonSchema), ...outer };
  return compact({ ...keywords(schema, false), required: requiredNames(schema['required'], message) });
}

/** `JSONSchema` of a field */
function fieldNotes(schema: JsonObject, field: FieldDescriptor): FieldNotes {
  return fieldNotesOf(keywords(schema, isTextField(field)), field, schema['required']);
}

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
    examples: example === undefined ? undefined : [isText ? textExample(example) : parsed(example)],
    multipleOf: schema['multipleOf'],
    [exclusiveMaximum === true ? 'exclusiveMaximum' : 'maximum']: maximum,
    [exclusiveMinimum === true ? 'exclusiveMinimum' : 'minimum']: minimum,
    ...Object.fromEntries(COUNTS.map((name) => [name, number(name)])),
    ...extensions(schema),
  });
}

/** An example is JSON: the text of `"\"a\""` is `a`. A plain `12` is meant as it stands. */
function textExample(text: Json): Json {
  const value = parsed(text);
  return typeof value === 'string' ? value : text;
}

/** JSON in a string; the string itself if it is none. */
function parsed(text: Json): Json {
  if (typeof text !== 'string') return text;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
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

/** A scheme without a type says nothing, and OpenAPI has none such. */
function typedSchemes(schemes: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(schemes).filter(([, scheme]) => object(scheme)['type'] !== undefined));
}

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
  const types = ((type ?? []) as readonly string[])
    .map((name) => name.toLowerCase())
    .filter((name) => name !== 'unknown');
  return compact({ type: types.length < 2 ? types[0] : types, ...keywords(schema, false) });
}

/** Members that the proxy decides, or that OpenAPI 3 does not have. */
const IGNORED: Readonly<Partial<Record<NoteKind, readonly string[]>>> = {
  document: ['consumes', 'produces', 'schemes', 'basePath'],
  operation: ['consumes', 'produces', 'schemes'],
  message: ['discriminator'],
  field: ['type', 'array', 'ref', 'fieldConfiguration'],
  enum: ['ref', 'required'],
};

function ignoredMembers(kind: NoteKind, option: JsonObject): readonly string[] {
  // With a host they make a server.
  const isServer = (name: string): boolean =>
    kind === 'document' && option['host'] !== undefined && /^(?:schemes|basePath)$/.test(name);
  return (IGNORED[kind] ?? []).filter((name) => option[name] !== undefined && !isServer(name));
}
