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
import { operationOf, securityName } from './operation.js';
import { ComponentNames } from './names.js';
import { mergedNotes } from './notes.js';
import {
  compact,
  type DocumentedPart,
  type DocumentInfo,
  type Json,
  type JsonObject,
  objectsOf,
  type RouteCredential,
  type SpecVersion,
} from './options.js';
import { type OpenApiPath, openApiPath } from './path.js';
import { SchemaBuilder, text } from './schemas.js';

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
  const credentials = new Map(
    parts
      .flatMap(({ access, bindings }) =>
        access === undefined ? [] : bindings.flatMap(({ method }) => access.credentialsFor(method.fullName)),
      )
      // Of several places the first is shown.
      .reverse()
      .map((credential) => [securityName(credential), credential]),
  );
  const {
    info: head = {},
    servers,
    tags = [],
    security = [],
    securitySchemes,
    externalDocs,
    responses: _,
    components: __,
    ...more
  } = notes;
  const own = Object.fromEntries([...credentials].map(([name, credential]) => [name, securityScheme(credential)]));
  const schemes = { ...own, ...(securitySchemes as JsonObject) };
  return compact({
    openapi: spec === '3.1' ? '3.1.1' : '3.2.0',
    $self: spec === '3.1' ? undefined : info.self,
    info: compact({
      title: titleOf(parts),
      version: '1.0',
      ...(head as JsonObject),
      ...compact({ title: info.title, version: info.version, description: info.description }),
    }),
    servers: info.isServerGiven === true || servers === undefined ? [{ url: info.server ?? '/' }] : servers,
    // Linters ask for it. Operations that need a token have a `security` of their own.
    security,
    tags: tagsOf(objectsOf(tags), services.values(), parts, spec),
    externalDocs,
    paths: paths.document,
    components: compact({
      ...components,
      schemas: schemas.components,
      securitySchemes: Object.keys(schemes).length === 0 ? undefined : schemes,
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

/** What options of the served files say of the document, as one. */
function notesOf(parts: readonly DocumentedPart<Binding>[]): JsonObject {
  const found = parts.flatMap(({ bindings, options: { notes } }) => {
    if (notes === undefined) return [];
    const files = new Set(bindings.map(({ method }) => method.service.file));
    return [...files].map((file) => notes.document(file));
  });
  return mergedNotes(found);
}

/** Those that options give, and one for each service. */
function tagsOf(
  given: readonly JsonObject[],
  services: Iterable<ServiceDescriptor>,
  parts: readonly DocumentedPart<Binding>[],
  spec: SpecVersion,
): JsonObject[] {
  const notes = parts.find(({ options }) => options.notes !== undefined)?.options.notes;
  const own = [...services].map((service) =>
    compact({
      name: service.fullName,
      // A short name for a list of services.
      ...(spec === '3.1' ? {} : { summary: service.name, kind: 'nav' }),
      description: text(service.comment),
      ...notes?.tag(service),
    }),
  );
  return [...new Map([...given, ...own].map((tag) => [tag['name'], tag])).values()];
}

function securityScheme(credential: RouteCredential): JsonObject {
  return credential.kind === 'token' ? tokenScheme(credential) : keyScheme(credential);
}

function keyScheme({ header }: RouteCredential): JsonObject {
  const description = 'An API key. Curl lines take it from the variable `API_KEY` of the shell.';
  return header === 'authorization'
    ? { type: 'http', scheme: 'ApiKey', description }
    : { type: 'apiKey', in: 'header', name: header, description };
}

function tokenScheme({ header, issuers = [] }: RouteCredential): JsonObject {
  const from = issuers.length === 0 ? '' : ` of ${issuers.map((issuer) => `\`${issuer}\``).join(' or ')}`;
  const description = `A JWT${from}. Curl lines take it from the variable \`TOKEN\` of the shell.`;
  return header === 'authorization'
    ? { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description }
    : { type: 'apiKey', in: 'header', name: header, description };
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

/** The default title: that of an option of the schema, the name of the only service, or up to three packages. */
export function titleOf(parts: readonly DocumentedPart<Binding>[]): string {
  const { title } = (notesOf(parts)['info'] ?? {}) as JsonObject;
  if (typeof title === 'string') return title;
  const bindings = parts.flatMap((part) => part.bindings);
  const services = [...new Set(bindings.map(({ method }) => method.service))];
  if (services.length === 1) return services[0]!.name;
  const packages = [...new Set(services.map(({ file }) => file.package))];
  return packages.length > 0 && packages.length <= 3 ? packages.join(', ') : 'REST API';
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

/** `Service_Method`, with the package if two services have the same name; additional bindings are numbered. */
class OperationIds {
  private readonly taken = new Set<string>();
  private readonly shared: ReadonlySet<string>;

  constructor(parts: readonly DocumentedPart<Binding>[]) {
    const byName = new Map<string, Set<string>>();
    for (const { method } of parts.flatMap(({ bindings }) => bindings)) {
      const { name, fullName } = method.service;
      byName.set(name, (byName.get(name) ?? new Set()).add(fullName));
    }
    this.shared = new Set([...byName].filter(([, fullNames]) => fullNames.size > 1).map(([name]) => name));
  }

  take({ method }: Binding, { options: { notes } }: DocumentedPart<Binding>): string {
    const { service } = method;
    const prefix = this.shared.has(service.name) ? service.fullName.replaceAll('.', '_') : service.name;
    const wish = notes?.operation(method).operationId ?? `${prefix}_${method.name}`;
    let id = wish;
    for (let count = 2; this.taken.has(id); count++) id = `${wish}${count}`;
    this.taken.add(id);
    return id;
  }
}
