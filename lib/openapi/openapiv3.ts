/** Options of protoc-gen-openapiv3, in ProtoJSON → parts of an OpenAPI 3.1 document, whose names they have. */
import { extensions, fieldNotesOf, mapped, type NoteFamily, object, plain } from './note-family.js';
import { compact, type Json, type JsonObject, objectsOf, type OperationNotes } from './options.js';

const PREFIX = 'grpc.gateway.protoc_gen_openapiv3.options.openapiv3_';

/** `openapiv3_*` */
export const openapiv3: NoteFamily = {
  names: {
    document: `${PREFIX}document`,
    tag: `${PREFIX}tag`,
    operation: `${PREFIX}operation`,
    message: `${PREFIX}schema`,
    field: `${PREFIX}field`,
  },
  document: documentNotes,
  tag: plain,
  operation: operationNotes,
  message: plain,
  field: (option, field) => fieldNotesOf(plain(option), field, undefined),
  enum: () => ({}),
  ignored: () => [],
};

function documentNotes(document: JsonObject): JsonObject {
  const { info, servers, externalDocs, tags, components, security } = document;
  const { securitySchemes } = object(components);
  return compact({
    info: info && plain(object(info)),
    servers,
    tags: tags && objectsOf(tags).map(plain),
    externalDocs,
    security: security && requirements(security),
    securitySchemes: securitySchemes && mapped(object(securitySchemes), securityScheme),
    ...extensions(document),
  });
}

function operationNotes(operation: JsonObject): OperationNotes {
  const { extensions: _, security, ...members } = operation;
  return {
    ...members,
    ...(security === undefined ? {} : { security: requirements(security) }),
    parameters: [],
    responses: {},
    extensions: extensions(operation),
  };
}

/** An empty requirement means that nothing is needed, too. */
function requirements(security: Json): JsonObject[] {
  return objectsOf(security).map(({ schemes }) =>
    mapped(object(schemes), ({ scopes = [] }) => scopes as unknown as JsonObject),
  );
}

const TYPES: Readonly<Record<string, string>> = {
  TYPE_API_KEY: 'apiKey',
  TYPE_HTTP: 'http',
  TYPE_MUTUAL_TLS: 'mutualTLS',
  TYPE_OAUTH2: 'oauth2',
  TYPE_OPEN_ID_CONNECT: 'openIdConnect',
};
const IN: Readonly<Record<string, string>> = { IN_QUERY: 'query', IN_HEADER: 'header', IN_COOKIE: 'cookie' };

function securityScheme({ type, in: place, flows, ...members }: JsonObject): JsonObject {
  return compact({
    type: TYPES[type as string],
    ...members,
    in: IN[place as string],
    // OpenAPI demands scopes, if only none.
    flows: flows && mapped(object(flows), (flow) => ({ scopes: {}, ...flow })),
  });
}
