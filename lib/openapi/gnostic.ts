/**
 * Options of gnostic's protoc-gen-openapi, in ProtoJSON → parts of an OpenAPI 3.1 document. They hold an OpenAPI 3.0 document as
 * messages: maps are lists of `name` and `value`, and free values are YAML.
 */
import { yaml } from '../packages.js';
import type { FieldDescriptor, MessageDescriptor } from '../schema/types.js';
import {
  COUNTS,
  fieldNotesOf,
  isTextField,
  mapped,
  type NoteFamily,
  type NoteKind,
  object,
  onlyExtensions,
  requiredNames,
} from './note-family.js';
import { compact, type FieldNotes, type Json, type JsonObject, objectsOf, type OperationNotes } from './options.js';

/** `openapi.v3.*`. @param prefix the package of the options: the Buf registry has them under another name */
export function gnostic(prefix: string): NoteFamily {
  return {
    names: {
      document: `${prefix}.document`,
      operation: `${prefix}.operation`,
      message: `${prefix}.schema`,
      field: `${prefix}.property`,
    },
    document: documentNotes,
    tag: () => ({}),
    operation: operationNotes,
    message: messageNotes,
    field: fieldNotes,
    enum: () => ({}),
    ignored: ignoredMembers,
  };
}

/** `Document` */
function documentNotes(document: JsonObject): JsonObject {
  const { info, servers, security, tags, externalDocs, components } = document;
  const { securitySchemes, ...more } = componentsOf(object(components));
  const { contact, license } = object(info);
  return compact({
    info:
      info &&
      compact({
        ...extended(object(info)),
        contact: contact && extended(object(contact)),
        license: license && extended(object(license)),
      }),
    servers: servers && serversOf(servers),
    security: security && requirements(security),
    tags: tags && objectsOf(tags).map(withDocs),
    externalDocs: externalDocs && extended(object(externalDocs)),
    securitySchemes,
    components: Object.keys(more).length === 0 ? undefined : more,
    ...extensionsOf(document),
  });
}

function componentsOf({
  schemas,
  responses,
  parameters,
  examples,
  requestBodies,
  headers,
  securitySchemes,
}: JsonObject): JsonObject {
  return compact({
    schemas: schemas && map(schemas, 'schema', schemaOf),
    responses: responses && map(responses, 'response', responseOf),
    parameters: parameters && map(parameters, 'parameter', parameterOf),
    examples: examples && map(examples, 'example', exampleOf),
    requestBodies: requestBodies && map(requestBodies, 'requestBody', requestBodyOf),
    headers: headers && map(headers, 'header', parameterOf),
    securitySchemes: securitySchemes && map(securitySchemes, 'securityScheme', securityScheme),
  });
}

/** `Operation` */
function operationNotes(operation: JsonObject): OperationNotes {
  const { tags, summary, description, externalDocs, operationId, deprecated, security, servers } = operation;
  const { requestBody, parameters, responses } = operation;
  const { description: bodyText, content } =
    requestBody === undefined ? {} : choice(object(requestBody), 'requestBody', requestBodyOf);
  const { example, examples } = object(object(content)['application/json']);
  return {
    ...compact({ tags, summary, description, operationId, deprecated }),
    ...(externalDocs === undefined ? {} : { externalDocs: extended(object(externalDocs)) }),
    ...(security === undefined ? {} : { security: requirements(security) }),
    ...(servers === undefined ? {} : { servers: serversOf(servers) }),
    requestBody: compact({ description: bodyText, example, examples }),
    parameters: objectsOf(parameters).map((parameter) => choice(parameter, 'parameter', parameterOf)),
    responses: responsesOf(object(responses)),
    extensions: extensionsOf(operation),
  };
}

/** `Schema` of a message */
function messageNotes(schema: JsonObject, message: MessageDescriptor): JsonObject {
  return compact({ ...keywords(schema, false), required: requiredNames(schema['required'], message) });
}

/** `Schema` of a field */
function fieldNotes(schema: JsonObject, field: FieldDescriptor): FieldNotes {
  const notes = fieldNotesOf(keywords(schema, isTextField(field)), field, schema['required']);
  const [item] = objectsOf(object(schema['items'])['schemaOrReference']);
  if (item === undefined || !field.repeated) return notes;
  return { ...notes, items: { ...notes.items, ...keywords(object(item['schema']), false) } };
}

/** What is said of a value, whatever its type is. @param isText the value is a string, whatever it looks like */
function keywords(schema: JsonObject, isText: boolean): JsonObject {
  const { title, description, readOnly, writeOnly, deprecated, externalDocs, pattern, format, uniqueItems } = schema;
  const { example, maximum, exclusiveMaximum, minimum, exclusiveMinimum, multipleOf, xml, enum: values } = schema;
  const number = (name: string): Json | undefined => (schema[name] === undefined ? undefined : Number(schema[name]));
  const any = (value: JsonObject): Json => (isText ? textOf(value) : valueOf(value));
  return compact({
    ...{ title, description, readOnly, writeOnly, deprecated, pattern, format, uniqueItems, multipleOf },
    externalDocs: externalDocs && extended(object(externalDocs)),
    xml: xml && extended(object(xml)),
    enum: values && objectsOf(values).map(any),
    default: Object.values(object(schema['default']))[0],
    examples: example === undefined ? undefined : [any(object(example))],
    [exclusiveMaximum === true ? 'exclusiveMaximum' : 'maximum']: maximum,
    [exclusiveMinimum === true ? 'exclusiveMinimum' : 'minimum']: minimum,
    ...Object.fromEntries(COUNTS.map((name) => [name, number(name)])),
    ...extensionsOf(schema),
  });
}

/** A schema of the option's own, with everything that it holds. */
function schemaOf(schema: JsonObject): JsonObject {
  const { type, nullable, required, discriminator, items, properties, additionalProperties, not } = schema;
  const list = (schemas: Json | undefined): Json | undefined =>
    schemas && objectsOf(schemas).map((one) => choice(one, 'schema', schemaOf));
  const [item] = objectsOf(object(items)['schemaOrReference']);
  const { schemaOrReference, boolean } = object(additionalProperties);
  const { propertyName, mapping } = object(discriminator);
  return compact({
    type: nullable === true && typeof type === 'string' ? [type, 'null'] : type,
    ...keywords(schema, false),
    required,
    properties: properties && map(properties, 'schema', schemaOf),
    additionalProperties:
      schemaOrReference === undefined ? boolean : choice(object(schemaOrReference), 'schema', schemaOf),
    items: item && choice(item, 'schema', schemaOf),
    allOf: list(schema['allOf']),
    oneOf: list(schema['oneOf']),
    anyOf: list(schema['anyOf']),
    not: not && schemaOf(object(not)),
    discriminator: discriminator && compact({ propertyName, mapping: mapping && strings(mapping) }),
  });
}

function parameterOf({ schema, example, examples, content, ...members }: JsonObject): JsonObject {
  return compact({
    ...extended(members),
    schema: schema && choice(object(schema), 'schema', schemaOf),
    example: example && valueOf(object(example)),
    examples: examples && map(examples, 'example', exampleOf),
    content: content && named(object(content)['additionalProperties'], mediaOf),
  });
}

function requestBodyOf({ content, ...members }: JsonObject): JsonObject {
  return compact({ ...extended(members), content: content && named(object(content)['additionalProperties'], mediaOf) });
}

function mediaOf({ schema, example, examples }: JsonObject): JsonObject {
  return compact({
    schema: schema && choice(object(schema), 'schema', schemaOf),
    example: example && valueOf(object(example)),
    examples: examples && map(examples, 'example', exampleOf),
  });
}

function exampleOf({ value, ...members }: JsonObject): JsonObject {
  return compact({ ...extended(members), value: value && valueOf(object(value)) });
}

function responsesOf({ default: other, responseOrReference }: JsonObject): JsonObject {
  return compact({
    ...named(responseOrReference, (response) => choice(response, 'response', responseOf)),
    default: other && choice(object(other), 'response', responseOf),
  });
}

function responseOf({ headers, content, links: _, ...members }: JsonObject): JsonObject {
  return compact({
    ...extended(members),
    headers: headers && map(headers, 'header', parameterOf),
    content: content && named(object(content)['additionalProperties'], mediaOf),
  });
}

function securityScheme({ flows, ...members }: JsonObject): JsonObject {
  const flow = ({ scopes, ...rest }: JsonObject): JsonObject => ({
    ...extended(rest),
    scopes: scopes === undefined ? {} : strings(scopes),
  });
  const { specificationExtension: _, ...kinds } = object(flows);
  return compact({ ...extended(members), flows: flows && mapped(kinds, flow) });
}

function serversOf(servers: Json): JsonObject[] {
  return objectsOf(servers).map(({ variables, ...members }) =>
    compact({
      ...extended(members),
      variables: variables && named(object(variables)['additionalProperties'], extended),
    }),
  );
}

/** An empty requirement means that nothing is needed, too. */
function requirements(security: Json): JsonObject[] {
  return objectsOf(security).map((requirement) =>
    named(requirement['additionalProperties'], ({ value = [] }) => value as unknown as JsonObject),
  );
}

function withDocs({ externalDocs, ...members }: JsonObject): JsonObject {
  return compact({ ...extended(members), externalDocs: externalDocs && extended(object(externalDocs)) });
}

/** The map that a list of `name` and `value` means. */
function named(list: Json | undefined, make: (value: JsonObject) => JsonObject): JsonObject {
  return Object.fromEntries(objectsOf(list).map(({ name, value }) => [name as string, make(object(value))]));
}

/** A message whose only member is such a list, whose values are choices. */
function map(message: Json, name: string, make: (value: JsonObject) => JsonObject): JsonObject {
  return named(object(message)['additionalProperties'], (value) => choice(value, name, make));
}

function strings(message: Json): JsonObject {
  const pairs = objectsOf(object(message)['additionalProperties']);
  return Object.fromEntries(pairs.map(({ name, value = '' }) => [name as string, value]));
}

/** `SchemaOrReference` and its like. @param name of the member that holds the value if it is no reference */
function choice(message: JsonObject, name: string, make: (value: JsonObject) => JsonObject): JsonObject {
  const { reference } = message;
  if (reference === undefined) return make(object(message[name]));
  const { Ref, ...beside } = object(reference);
  return { $ref: Ref ?? '', ...beside };
}

/** `Any` */
function valueOf({ yaml: text = '' }: JsonObject): Json {
  try {
    return yaml().parse(text as string) as Json;
  } catch {
    return text;
  }
}

function textOf(any: JsonObject): Json {
  const value = valueOf(any);
  return typeof value === 'string' ? value : ((any['yaml'] as string | undefined) ?? '').trim();
}

function extended(message: JsonObject): JsonObject {
  const { specificationExtension: _, ...members } = message;
  return { ...members, ...extensionsOf(message) };
}

function extensionsOf({ specificationExtension: found }: JsonObject): JsonObject {
  return onlyExtensions(
    Object.fromEntries(objectsOf(found).map(({ name, value }) => [name as string, valueOf(object(value))])),
  );
}

/** Members that the proxy decides. */
const IGNORED: Readonly<Partial<Record<NoteKind, readonly string[]>>> = {
  document: ['openapi', 'paths'],
  operation: ['callbacks'],
  message: [
    ...['type', 'nullable', 'discriminator', 'properties', 'additionalProperties', 'items'],
    ...['allOf', 'oneOf', 'anyOf', 'not'],
  ],
  field: [
    ...['type', 'nullable', 'discriminator', 'properties', 'additionalProperties'],
    ...['allOf', 'oneOf', 'anyOf', 'not'],
  ],
};

function ignoredMembers(kind: NoteKind, option: JsonObject): readonly string[] {
  const found = (IGNORED[kind] ?? []).filter((name) => option[name] !== undefined);
  const components = object(option['components']);
  const unused = ['links', 'callbacks'].filter((name) => components[name] !== undefined);
  return [...found, ...unused.map((name) => `components.${name}`)];
}
