/**
 * Bindings → an OpenAPI document of what a listener serves, as its options shape it: of 3.1
 * (https://spec.openapis.org/oas/v3.1.1.html), or of 3.2 (https://spec.openapis.org/oas/v3.2.0.html) for tools that know it.
 * Texts come from the comments of the protos.
 *
 * OpenAPI cannot express path parameters with slashes (their description says so), nor maps and lists of messages in a query
 * (they are left out).
 */
import { yaml } from '../packages.js';
import type { Binding } from '../rule/index.js';
import type { ServiceDescriptor } from '../schema/types.js';
import { infoOf, notesOf, OperationIds, securitySchemesOf, tagsOf } from './head.js';
import { operationOf } from './operation.js';
import { ComponentNames } from './names.js';
import {
  compact,
  type DocumentedPart,
  type DocumentInfo,
  type Json,
  type JsonObject,
  objectsOf,
  type SpecVersion,
} from './options.js';
import { type OpenApiPath, openApiPath } from './path.js';
import { SchemaBuilder } from './schemas.js';

const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];
/** The methods that document a rule of kind `*`. */
const anyMethod = ['get', 'put', 'post', 'delete', 'patch'];

interface Documented {
  readonly binding: Binding;
  readonly part: DocumentedPart<Binding>;
  readonly path: OpenApiPath;
}

/** The document of everything in `parts`, in the order of the services and their methods. */
export function openApiDocument(parts: readonly DocumentedPart<Binding>[], info: DocumentInfo): JsonObject {
  const all = parts.flatMap(({ bindings }) => bindings);
  const schemas = new SchemaBuilder(new ComponentNames(all, info.names ?? 'dotted'));
  const spec = info.spec ?? '3.1';
  const paths = new Paths(spec);
  const ids = new OperationIds(parts);
  const notes = notesOf(parts);
  const responses = (notes['responses'] ?? {}) as JsonObject;
  const components = givenComponents(notes, schemas, parts);
  const services = new Map<string, ServiceDescriptor>();
  for (const part of parts) {
    for (const binding of part.bindings) {
      const { service } = binding.method;
      services.set(service.fullName, service);
      const documented = { binding, part, path: openApiPath(binding) };
      for (const method of methodsOf(binding, part.bindings, spec)) {
        paths.add(documented, method, (names) =>
          operationOf(binding, documented.path, names, {
            schemas,
            httpMethod: method,
            operationId: ids.take(binding, part),
            part,
            responses,
            curlUrl: curlBase(info.server),
            spec,
          }),
        );
      }
    }
  }
  const {
    info: _info,
    servers,
    tags = [],
    security = [],
    securitySchemes: _schemes,
    externalDocs,
    responses: _,
    components: __,
    ...more
  } = notes;
  const securitySchemes = securitySchemesOf(parts, notes);
  return compact({
    openapi: spec === '3.1' ? '3.1.1' : '3.2.0',
    $self: spec === '3.1' ? undefined : info.self,
    info: infoOf(parts, info, notes),
    servers: info.isServerGiven === true || servers === undefined ? [{ url: info.server ?? '/' }] : servers,
    // Linters ask for it. Operations that need a token have a `security` of their own.
    security,
    tags: tagsOf(objectsOf(tags), services.values(), parts, spec),
    externalDocs,
    paths: paths.document,
    components: compact({
      ...components,
      schemas: schemas.components,
      securitySchemes,
    }),
    ...more,
  });
}

/** What parts of options refer to; schemas are among all others. */
function givenComponents(
  notes: JsonObject,
  schemas: SchemaBuilder,
  parts: readonly DocumentedPart<Binding>[],
): JsonObject {
  const { schemas: given, ...rest } = (notes['components'] ?? {}) as JsonObject;
  const options = parts.find((part) => part.options.notes !== undefined)?.options;
  if (options === undefined) return rest;
  schemas.give((given ?? {}) as JsonObject, options);
  return schemas.named(rest, options);
}

/** The base of curl lines, which need a host even if the document names none. */
function curlBase(server = '/'): string {
  const base = server.startsWith('/') ? `http://127.0.0.1:8080${server}` : server;
  return base.replace(/\/$/, '');
}

/** The document as text. */
export function printDocument(document: JsonObject, format: 'json' | 'yaml'): string {
  // Without aliases, because few OpenAPI tools support them.
  return format === 'json'
    ? `${JSON.stringify(document, null, 2)}\n`
    : yaml().stringify(document, { aliasDuplicateObjects: false, lineWidth: 120, blockQuote: 'literal' });
}

/**
 * The keys of a binding in a path item. A method without a key of its own gets the prefix `x-`; in 3.2 it stands by its name in
 * `additionalOperations`.
 */
function methodsOf({ httpMethod, template }: Binding, all: readonly Binding[], spec: SpecVersion): string[] {
  if (httpMethod !== '*') {
    const name = httpMethod.toLowerCase();
    const isKnown = methods.includes(name) || (name === 'query' && spec !== '3.1');
    return [isKnown ? name : spec === '3.1' ? `x-${name}` : httpMethod];
  }
  const { shape } = template;
  const exact = all.filter((other) => other.httpMethod !== '*' && other.template.shape === shape);
  return anyMethod.filter((method) => !exact.some((other) => other.httpMethod.toLowerCase() === method));
}

/** Path items by shape: to OpenAPI, paths that differ only in parameter names are equal. The first one gives the names. */
class Paths {
  constructor(private readonly spec: SpecVersion) {}

  private readonly items = new Map<string, { path: string; names: readonly string[]; item: Record<string, Json> }>();

  get document(): JsonObject {
    return Object.fromEntries([...this.items.values()].map(({ path, item }) => [path, item]));
  }

  /** A second rule of the same shape, such as `{key=*\/**}` beside `{key}`, is left out. */
  add({ part, path }: Documented, method: string, make: (names: readonly string[]) => JsonObject): void {
    const key = `${part.prefix}${path.shape}`;
    let found = this.items.get(key);
    if (found === undefined) {
      const names = path.parameters.map(({ name }) => name);
      found = { path: `${part.prefix}${path.path}`, names, item: {} };
      this.items.set(key, found);
    }
    // Names of methods are upper case, keys are lower case.
    const isAdditional = this.spec !== '3.1' && method !== method.toLowerCase();
    const item = isAdditional ? ((found.item['additionalOperations'] ??= {}) as Record<string, Json>) : found.item;
    item[method] ??= make(found.names);
  }
}
