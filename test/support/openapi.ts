/**
 * OpenAPI documents in tests: the examples of one, judged by its own schemas, and the requests that its readers would send:
 * each operation with what it demands, and then once for each parameter and each member of a body that it offers.
 */
import { createRequire } from 'node:module';
import type { Exchange } from '../../lib/exchange.js';
import { MemoryExchange, type MemoryRequest } from './exchange.js';

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
export interface JsonObject {
  [name: string]: Json;
}

interface Validate {
  (value: unknown): boolean;
  readonly errors?: unknown;
}
interface SchemaValidator {
  addSchema(schema: unknown, key: string): unknown;
  compile(schema: unknown): Validate;
}

// Of the two versions that are installed, the one that knows JSON Schema 2020-12, which OpenAPI 3.1 is written in.
const load = createRequire(createRequire(import.meta.url).resolve('@seriousme/openapi-schema-validator'));
const { default: Ajv } = load('ajv/dist/2020.js') as { default: new (options: object) => SchemaValidator };
const { default: addFormats } = load('ajv-formats') as { default: (ajv: SchemaValidator) => void };

const httpMethods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];

/** A value and the schema that it must fit. */
export interface Example {
  readonly where: string;
  readonly schema: Json;
  readonly value: Json;
}

/** One request, and what it tries. */
export interface DocumentedRequest {
  readonly where: string;
  readonly request: MemoryRequest & { readonly method: string; readonly target: string };
}

/** What became of a document that was followed to the letter. */
export interface Followed {
  readonly document: JsonObject;
  readonly examples: number;
  readonly requests: number;
  /** Examples that do not fit their schema, and requests that were refused. */
  readonly faults: readonly string[];
}

/** Refused for what the document says, and not by the service. */
const refusals = [400, 404, 405, 415];

/** Judges the examples of the document that `handler` serves, and sends it every request that follows from it. */
export async function followDocument(handler: { handle(exchange: Exchange): void }): Promise<Followed> {
  const ask = (request: MemoryRequest): MemoryExchange['answer'] => {
    const exchange = new MemoryExchange(request);
    handler.handle(exchange);
    return exchange.answer;
  };
  const document = JSON.parse((await ask({ target: '/openapi.json' })).body.toString()) as JsonObject;
  const schemas = new DocumentSchemas(document);
  const examples = examplesOf(document);
  const requests = requestsOf(document, schemas);
  const faults = examples.flatMap(({ where, schema, value }) => {
    const problem = schemas.problem(schema, value);
    return problem === undefined ? [] : [`${where}: ${JSON.stringify(value)}: ${problem}`];
  });
  for (const { where, request } of requests) {
    const { status, body } = await ask(request);
    if (!refusals.includes(status)) continue;
    faults.push(`${where}: ${request.target} ${String(request.body ?? '')}: ${status} ${body.toString()}`);
  }
  return { document, examples: examples.length, requests: requests.length, faults };
}

/** The schemas of one document, compiled when first asked for. */
export class DocumentSchemas {
  private readonly ajv: SchemaValidator;
  private readonly compiled = new Map<string, Validate>();

  /** @param closed objects have the members that are documented, and no others: for answers, which have no reason to */
  constructor(
    private readonly document: JsonObject,
    private readonly closed = false,
  ) {
    this.ajv = new Ajv({ strict: false, allErrors: false, logger: false });
    addFormats(this.ajv);
    const components = document['components'] ?? {};
    this.ajv.addSchema({ $id: 'document:', components: closed ? closeObjects(components) : components }, 'document:');
  }

  /** What is wrong with a value; undefined where nothing is. */
  problem(schema: Json, value: unknown): string | undefined {
    const key = JSON.stringify(schema);
    let validate = this.compiled.get(key);
    if (validate === undefined) {
      const absolute = JSON.parse(key.replaceAll('"#/components', '"document:#/components')) as Json;
      validate = this.ajv.compile(this.closed ? closeObjects(absolute) : absolute);
      this.compiled.set(key, validate);
    }
    return validate(value) ? undefined : JSON.stringify(validate.errors);
  }

  /** The schema itself where it is a reference. */
  resolve(schema: JsonObject): JsonObject {
    const { $ref } = schema;
    if (typeof $ref !== 'string') return schema;
    const found = $ref
      .split('/')
      .slice(1)
      .reduce((at, name) => at[name] as JsonObject, this.document);
    const { $ref: _, ...beside } = schema;
    return { ...found, ...beside };
  }

  /** A value that fits a schema, with what it requires and no more. */
  sample(schema: JsonObject, depth = 0): Json {
    const resolved = this.resolve(schema);
    const { enum: values, anyOf, examples, format, pattern } = resolved;
    const type = Array.isArray(resolved['type']) ? resolved['type'][0] : resolved['type'];
    if ('const' in resolved) return resolved['const']!;
    if (Array.isArray(values)) return values[values.length - 1]!;
    if (Array.isArray(examples)) return examples[0]!;
    if (Array.isArray(anyOf)) return this.sample(anyOf[0] as JsonObject, depth);
    switch (type) {
      case 'object':
        return this.sampleObject(resolved, depth);
      case 'array':
        return depth > 5 ? [] : [this.sample(resolved['items'] as JsonObject, depth + 1)];
      case 'integer':
        return 1;
      case 'number':
        return 1.5;
      case 'boolean':
        return true;
      case 'null':
        return null;
      default:
        if (format === 'date-time') return '2026-01-31T12:00:00Z';
        if (resolved['contentMediaType'] === 'application/json') return '{"a":1}';
        if (resolved['contentEncoding'] === 'base64') return 'aGk=';
        return pattern === undefined ? 'a' : '1';
    }
  }

  private sampleObject(schema: JsonObject, depth: number): Json {
    const properties = (schema['properties'] ?? {}) as Record<string, JsonObject>;
    const required = (schema['required'] ?? []) as string[];
    const sample: JsonObject = Object.fromEntries(
      required.map((name) => [name, this.sample(properties[name]!, depth + 1)]),
    );
    // An Any is of a type.
    if ('@type' in properties) sample['@type'] = 'type.googleapis.com/google.rpc.ErrorInfo';
    const { additionalProperties: inner } = schema;
    if (typeof inner !== 'object' || required.length > 0 || depth > 5) return sample;
    const { pattern, enum: names } = (schema['propertyNames'] ?? {}) as { pattern?: string; enum?: string[] };
    return { [names?.[0] ?? (pattern === undefined ? 'a' : '1')]: this.sample(inner as JsonObject, depth + 1) };
  }
}

function closeObjects(value: Json): Json {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(closeObjects);
  const inner = Object.fromEntries(Object.entries(value).map(([name, one]) => [name, closeObjects(one)]));
  const isOpen = inner['type'] === 'object' && 'properties' in inner && !('additionalProperties' in inner);
  return isOpen ? { ...inner, additionalProperties: false } : inner;
}

interface Operation {
  readonly where: string;
  readonly method: string;
  readonly path: string;
  readonly operation: JsonObject;
}

function operationsOf(document: JsonObject): Operation[] {
  return Object.entries(document['paths'] as Record<string, JsonObject>).flatMap(([path, item]) =>
    Object.entries(item)
      .filter(([method]) => httpMethods.includes(method))
      .map(([method, operation]) => ({
        where: `${method.toUpperCase()} ${path}`,
        method: method.toUpperCase(),
        path,
        operation: operation as JsonObject,
      })),
  );
}

/** Every `example` and `examples` of a document, with its schema. */
export function examplesOf(document: JsonObject): Example[] {
  const found: Example[] = [];
  const visit = (value: Json, where: string): void => {
    if (typeof value !== 'object' || value === null) return;
    if (Array.isArray(value)) return void value.forEach((inner, index) => visit(inner, `${where}/${index}`));
    const isExampled = 'example' in value && 'schema' in value;
    if (isExampled) found.push({ where, schema: value['schema']!, value: value['example']! });
    // Of a schema, unless it is the name of a property.
    if (Array.isArray(value['examples'])) {
      for (const one of value['examples']) found.push({ where, schema: value, value: one });
    }
    for (const [name, inner] of Object.entries(value)) {
      // A message in an example may have fields of these names itself.
      if (!(isExampled && name === 'example')) visit(inner, `${where}/${name}`);
    }
  };
  visit(document['paths']!, 'paths');
  visit(document['components'] ?? {}, 'components');
  return found;
}

/** What readers of a document would send, in the order of its operations. */
export function requestsOf(document: JsonObject, schemas = new DocumentSchemas(document)): DocumentedRequest[] {
  return operationsOf(document).flatMap((operation) => new RequestMaker(operation, schemas).all());
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly style?: string;
  readonly schema?: JsonObject;
  readonly example?: Json;
  readonly content?: Record<string, { schema: JsonObject }>;
}

class RequestMaker {
  private readonly parameters: readonly Parameter[];

  constructor(
    private readonly documented: Operation,
    private readonly schemas: DocumentSchemas,
  ) {
    this.parameters = (documented.operation['parameters'] ?? []) as unknown as Parameter[];
  }

  all(): DocumentedRequest[] {
    const { where } = this.documented;
    const bodies = this.bodies();
    const [usual] = bodies;
    const optional = this.parameters.filter((one) => one.required !== true && one.in !== 'path');
    return [
      ...bodies.map(({ label, ...body }) => ({ where: `${where} ${label}`, request: this.request([], body) })),
      ...optional.map((one) => ({ where: `${where} ?${one.name}`, request: this.request([one], usual!) })),
    ];
  }

  private request(more: readonly Parameter[], body: Body): DocumentedRequest['request'] {
    const { method, path } = this.documented;
    const given = [...this.parameters.filter((one) => one.required === true), ...more];
    const target = path.replace(/\{([^}]*)\}/g, (_, name: string) => {
      const parameter = this.parameters.find((one) => one.in === 'path' && one.name === name)!;
      return encodeURIComponent(textOf(this.valueOf(parameter)));
    });
    const query = given.filter((one) => one.in === 'query').map((one) => this.queryPair(one));
    const headers = given.filter((one) => one.in === 'header').flatMap((one) => [one.name, textOf(this.valueOf(one))]);
    const cookies = given.filter((one) => one.in === 'cookie').map((one) => `${one.name}=${textOf(this.valueOf(one))}`);
    if (cookies.length > 0) headers.push('cookie', cookies.join('; '));
    if (body.type !== undefined) headers.push('content-type', body.type);
    return {
      method,
      target: query.length === 0 ? target : `${target}?${query.join('&')}`,
      headers: ['host', 'localhost', ...headers],
      ...(body.body === undefined ? {} : { body: body.body }),
    };
  }

  private queryPair(parameter: Parameter): string {
    const value = this.valueOf(parameter);
    const name = encodeURIComponent(parameter.name);
    if (parameter.content !== undefined) return `${name}=${encodeURIComponent(JSON.stringify(value))}`;
    if (parameter.style !== 'deepObject') {
      return [value]
        .flat()
        .map((one) => `${name}=${encodeURIComponent(textOf(one))}`)
        .join('&');
    }
    return Object.entries(value as JsonObject)
      .map(([key, one]) => `${name}%5B${encodeURIComponent(key)}%5D=${encodeURIComponent(textOf(one))}`)
      .join('&');
  }

  private valueOf({ example, schema, content }: Parameter): Json {
    return example ?? this.schemas.sample(schema ?? content!['application/json']!.schema);
  }

  /** None, the example, the least that is valid, and the least with one member more. */
  private bodies(): Body[] {
    const { requestBody } = this.documented.operation;
    if (requestBody === undefined) return [{ label: '', type: undefined, body: undefined }];
    const { content } = requestBody as unknown as { content: Record<string, { schema: JsonObject; example?: Json }> };
    const json = content['application/json'];
    if (json === undefined) return [{ label: 'raw', type: 'text/x-sample', body: 'not {JSON}' }];
    const of = (label: string, value: Json): Body => ({ label, type: 'application/json', body: JSON.stringify(value) });
    const example = json.example === undefined ? [] : [of('example', json.example)];
    const least = this.schemas.sample(json.schema);
    const { properties = {} } = this.schemas.resolve(json.schema) as { properties?: Record<string, JsonObject> };
    const isObject = typeof least === 'object' && least !== null && !Array.isArray(least);
    const wider = !isObject || '@type' in properties ? [] : Object.entries(properties);
    return [
      ...example,
      of('least', least),
      ...wider.map(([name, schema]) =>
        of(`body.${name}`, { ...(least as JsonObject), [name]: this.schemas.sample(schema) }),
      ),
    ];
  }
}

interface Body {
  readonly label?: string;
  readonly type: string | undefined;
  readonly body: string | undefined;
}

function textOf(value: Json): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** An answer that came, and what it answered. */
export interface GivenAnswer {
  readonly method: string;
  readonly target: string;
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
}

interface Responses {
  readonly [status: string]: { readonly content?: Record<string, { readonly schema: JsonObject }> };
}

/** Judges answers by the document that tells of them. */
export class AnswerJudge {
  private readonly schemas: DocumentSchemas;
  private readonly operations: readonly {
    readonly method: string;
    readonly pattern: RegExp;
    readonly responses: Responses;
  }[];

  constructor(document: JsonObject) {
    this.schemas = new DocumentSchemas(document, true);
    this.operations = operationsOf(document)
      .map(({ method, path, operation }) => ({
        method,
        variables: path.split('{').length,
        pattern: pathPattern(path, operation),
        responses: operation['responses'] as unknown as Responses,
      }))
      .sort((a, b) => a.variables - b.variables);
  }

  /** What an answer has that the document does not tell; undefined where there is nothing, or no such operation. */
  problem({ method, target, status, contentType, text }: GivenAnswer): string | undefined {
    const [path, query = ''] = target.split('?') as [string, string?];
    const found = this.operations.find((one) => one.method === method && one.pattern.test(path));
    // What these ask for is another form of answer.
    if (found === undefined || /(?:^|&)(?:%24|\$)?(?:fields|alt)=/.test(query)) return undefined;
    const response = found.responses[String(status)] ?? (status >= 300 ? found.responses['default'] : undefined);
    if (response === undefined) return `${status} is not among the responses`;
    if (response.content === undefined) return text === '' ? undefined : `found a body, expected none`;
    if ('*/*' in response.content) return undefined;
    const type = contentType.split(';')[0]!;
    const media = response.content[type];
    if (media === undefined) return `${contentType} is not among ${Object.keys(response.content).join(', ')}`;
    for (const value of valuesOf(type, text)) {
      const problem = this.schemas.problem(media.schema, value);
      if (problem !== undefined) return `${problem}: ${JSON.stringify(value)}`;
    }
    return undefined;
  }
}

function pathPattern(path: string, operation: JsonObject): RegExp {
  const parameters = (operation['parameters'] ?? []) as unknown as readonly (Parameter & { description?: string })[];
  const deep = (name: string): boolean =>
    parameters.some((one) => one.in === 'path' && one.name === name && /slashes/.test(one.description ?? ''));
  const source = path
    .split(/\{([^}]*)\}/)
    .map((part, index) => (index % 2 === 0 ? part.replace(/[.*+?^$()|[\]\\]/g, '\\$&') : deep(part) ? '.*' : '[^/]+'));
  return new RegExp(`^${source.join('')}$`);
}

/** The JSON values of a body: one, or one for each line or event. grpc-gateway writes lines and calls them JSON. */
function valuesOf(type: string, text: string): unknown[] {
  const isLines = type === 'application/x-ndjson' || /^\{"(?:result|error)":.*\}\n/.test(text);
  if (isLines)
    return text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
  if (type !== 'text/event-stream') return [JSON.parse(text)];
  const events = text.split('\n\n').map((event) => event.split('\n').filter((line) => line.startsWith('data: ')));
  return events
    .filter((lines) => lines.length > 0)
    .map((lines) => JSON.parse(lines.map((line) => line.slice('data: '.length)).join('\n')) as unknown);
}
