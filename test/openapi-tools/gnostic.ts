/**
 * The documents of gnostic's own examples beside what its protoc-gen-openapi made of them: titles, operations, parameters,
 * texts, security, and the properties of schemas.
 *
 *     node --import tsx test/openapi-tools/gnostic.ts FOLDER OF THE MODULE
 *
 * What differs on purpose: operations have a summary, the first sentence of the comment, and the rest is their description; tags
 * have the full names of services; parameters of a path have the names of the template; a body has no fields that the path
 * sets, so that its message may have no schema of its own; and what is marked REQUIRED is required in a query, too.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { parse } from 'yaml';
import { type JsonObject, openApiDocument, SchemaNotes } from '../../lib/openapi/index.js';
import { bindingsOf } from '../../lib/rule/index.js';
import { diskFiles, loadSchema } from '../../lib/schema/index.js';
import { ProblemList } from '../../lib/status.js';
import { plainOptions } from '../support/openapi-options.js';

const examples = [
  'tests/openapiv3annotations/message.proto',
  'tests/pathparams/message.proto',
  'tests/bodymapping/message.proto',
  'google/example/library/v1/library.proto',
];

/** Keywords of properties that comments and options give. */
const keywords = ['title', 'maxLength', 'readOnly', 'writeOnly', 'deprecated'];

const annotationsRoot = fileURLToPath(new URL('../../annotations', import.meta.url));
const faults: string[] = [];
let compared = 0;

function compare(what: string, left: unknown, right: unknown): void {
  compared++;
  if (isDeepStrictEqual(left, right)) return;
  faults.push(`${what}: ${JSON.stringify(left)} by gnostic, ${JSON.stringify(right)} by photongate`);
}

for (const example of examples) {
  const folder = join(process.argv[2]!, 'cmd/protoc-gen-openapi/examples');
  const theirs = parse(readFileSync(join(folder, example, '../openapi_fq_schema_naming.yaml'), 'utf8')) as JsonObject;
  const ours = JSON.parse(JSON.stringify(documentOf(folder, example))) as JsonObject;
  const info = theirs['info'] as JsonObject;
  // Without an option each has a title of its own.
  if (/annotation/.test(info['title'] as string)) {
    compare(`${example}: info`, info, ours['info']);
    const schemes = (document: JsonObject): unknown => (document['components'] as JsonObject)['securitySchemes'];
    compare(`${example}: securitySchemes`, schemes(theirs), schemes(ours));
  }
  const items = new Map(entries(ours['paths']).map(([path, item]) => [shapeOf(path), item]));
  for (const [path, item] of entries(theirs['paths'])) {
    for (const [method, operation] of entries(item)) {
      const own = items.get(shapeOf(path))?.[method] as JsonObject | undefined;
      compareOperations(`${example}: ${method} ${path}`, operation, own ?? {});
    }
  }
  const ownSchemas = new Map(entries((ours['components'] as JsonObject)['schemas']));
  for (const [name, schema] of entries((theirs['components'] as JsonObject)['schemas'])) {
    if (/^google\.(?:protobuf|rpc)\./.test(name)) continue;
    const own = ownSchemas.get(name);
    if (own === undefined) continue;
    compare(`${example}: ${name}: title`, schema['title'], own['title']);
    compare(`${example}: ${name}`, words(schema['description']), words(own['description']));
    const properties = new Map(entries(own['properties']));
    for (const [property, value] of entries(schema['properties'])) {
      const found = properties.get(property);
      compare(`${example}: ${name}.${property}`, words(value['description']), words(found?.['description']));
      for (const keyword of keywords) {
        compare(`${example}: ${name}.${property}: ${keyword}`, value[keyword], found?.[keyword]);
      }
    }
  }
}
for (const fault of faults) console.error(fault);
console.log(`${compared - faults.length} of ${compared} parts of gnostic's documents are the same`);
process.exitCode = faults.length === 0 && compared > 100 ? 0 : 1;

function compareOperations(where: string, theirs: JsonObject, ours: JsonObject): void {
  for (const name of ['operationId', 'security', 'deprecated']) compare(`${where}: ${name}`, theirs[name], ours[name]);
  const text = [words(ours['summary']), words(ours['description'])].join(' ');
  if (theirs['description'] !== undefined) compare(`${where}: text`, words(theirs['description']), words(text));
  const parameters = (ours['parameters'] ?? []) as unknown as readonly JsonObject[];
  for (const parameter of (theirs['parameters'] ?? []) as unknown as readonly JsonObject[]) {
    if (parameter['in'] === 'path') continue;
    const name = parameter['name'] as string;
    const own = parameters.find((one) => one['name'] === name && one['in'] === parameter['in']);
    compare(`${where}: has ${name}`, true, own !== undefined);
    compare(`${where}: ${name}`, words(parameter['description']), words(own?.['description']));
    if (parameter['required'] === true) compare(`${where}: ${name} is required`, true, own?.['required']);
  }
  compare(
    `${where}: statuses`,
    Object.keys((theirs['responses'] ?? {}) as object),
    Object.keys((ours['responses'] ?? {}) as object),
  );
}

function documentOf(folder: string, example: string): JsonObject {
  const problems = new ProblemList();
  const copy = mkdtempSync(join(tmpdir(), 'photongate-gnostic-'));
  // A variable of this rule is no field of its message, which a proxy cannot serve.
  const text = readFileSync(join(folder, example), 'utf8').replace(
    '/v1/messages/{message_id}"\n        body: "*"',
    '/v1/messages/{id}"\n        body: "*"',
  );
  mkdirSync(dirname(join(copy, example)), { recursive: true });
  writeFileSync(join(copy, example), text);
  const sources = {
    protos: [example],
    protoPaths: [copy],
    descriptorSets: [],
    workingDirectory: copy,
    annotationsRoot,
  };
  const schema = loadSchema(sources, problems, diskFiles);
  const bindings = bindingsOf(schema.services, problems);
  for (const { message } of problems.errors) faults.push(`${example}: ${message}`);
  const document = openApiDocument(
    [{ prefix: '', bindings, options: { ...plainOptions, notes: SchemaNotes.of(schema) } }],
    {},
  );
  // Comments are read when they are asked for.
  rmSync(copy, { recursive: true });
  return document;
}

function entries(value: unknown): [string, JsonObject][] {
  return Object.entries((value ?? {}) as Record<string, JsonObject>);
}

function shapeOf(path: string): string {
  return path.replace(/\{[^}]*\}/g, '{}');
}

/** A text without line breaks. */
function words(text: unknown): string {
  return typeof text === 'string' ? text.replace(/\s+/g, ' ').trim() : '';
}
