/** What documents say of everything that a listener serves: title, tags, names of operations, and who may call. */
import type { Binding } from '../rule/index.js';
import type { ServiceDescriptor } from '../schema/types.js';
import { mergedNotes } from './notes.js';
import { securityName } from './operation.js';
import {
  compact,
  type DocumentedPart,
  type DocumentInfo,
  type JsonObject,
  type RouteCredential,
  type SpecVersion,
} from './options.js';
import { text } from './schemas.js';

/** `info`, with what options of the schema say. */
export function infoOf(
  parts: readonly DocumentedPart<Binding>[],
  { title, version, description }: DocumentInfo,
  notes: JsonObject,
): JsonObject {
  return compact({
    title: titleOf(parts),
    version: '1.0',
    ...(notes['info'] as JsonObject | undefined),
    ...compact({ title, version, description }),
  });
}

/** The security schemes of the proxy and of options, by name; undefined if there are none. */
export function securitySchemesOf(
  parts: readonly DocumentedPart<Binding>[],
  notes: JsonObject,
): JsonObject | undefined {
  const credentials = new Map(
    parts
      .flatMap(({ access, bindings }) =>
        access === undefined ? [] : bindings.flatMap(({ method }) => access.credentialsFor(method.fullName)),
      )
      // Of several places the first is shown.
      .reverse()
      .map((credential) => [securityName(credential), credential]),
  );
  const own = Object.fromEntries([...credentials].map(([name, credential]) => [name, securityScheme(credential)]));
  const schemes = { ...own, ...(notes['securitySchemes'] as JsonObject | undefined) };
  return Object.keys(schemes).length === 0 ? undefined : schemes;
}

/** What options of the served files say of the document, as one. */
export function notesOf(parts: readonly DocumentedPart<Binding>[]): JsonObject {
  const found = parts.flatMap(({ bindings, options: { notes } }) => {
    if (notes === undefined) return [];
    const files = new Set(bindings.map(({ method }) => method.service.file));
    return [...files].map((file) => notes.document(file));
  });
  return mergedNotes(found);
}

/** Those that options give, and one for each service. */
export function tagsOf(
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

/** `Service_Method`, with the package if two services have the same name; additional bindings are numbered. */
export class OperationIds {
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
