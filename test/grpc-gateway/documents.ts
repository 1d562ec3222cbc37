/**
 * The document of grpc-gateway's own example beside what its plugin made of it: titles, tags, operations, examples, security, responses
 * and extensions. Rules that only its plugin takes are left out of both.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { type JsonObject, openApiDocument, SchemaNotes } from '../../lib/openapi/index.js';
import { bindingsOf } from '../../lib/rule/index.js';
import { diskFiles, loadSchema } from '../../lib/schema/index.js';
import { ProblemList } from '../../lib/status.js';
import { plainOptions } from '../support/openapi-options.js';

const annotationsRoot = fileURLToPath(new URL('../../annotations', import.meta.url));
const example = 'examples/internal/proto/examplepb/a_bit_of_everything';
const packageName = 'grpc.gateway.examples.internal.proto.examplepb';

/** Where the plugin's module lies. */
export function moduleFolder(go: string, cwd: string): string {
  const module = 'github.com/grpc-ecosystem/grpc-gateway/v2@v2.33.0';
  const text = execFileSync(go, ['mod', 'download', '-json', module], { cwd, encoding: 'utf8' });
  return (JSON.parse(text) as { Dir: string }).Dir;
}

/** What differs, and how much was compared. @param folder of grpc-gateway's module */
export function compareDocuments(folder: string): { readonly faults: readonly string[]; readonly compared: number } {
  const theirs = JSON.parse(readFileSync(join(folder, `${example}.swagger.json`), 'utf8')) as JsonObject;
  const ours = JSON.parse(JSON.stringify(documentOf(folder))) as JsonObject;
  const faults: string[] = [];
  let compared = 0;
  const compare = (what: string, left: unknown, right: unknown): void => {
    compared++;
    if (!isDeepStrictEqual(left, right)) {
      faults.push(`${what}: ${JSON.stringify(left)} by the plugin, ${JSON.stringify(right)} by photongate`);
    }
  };
  for (const name of ['info', 'externalDocs', 'security', 'x-grpc-gateway-foo', 'x-grpc-gateway-baz-list']) {
    compare(name, theirs[name], ours[name]);
  }
  const schemes = (ours['components'] as { securitySchemes: Record<string, JsonObject> }).securitySchemes;
  for (const [name, scheme] of entries(theirs['securityDefinitions'])) {
    compare(`scheme ${name}`, scheme, swaggerScheme(schemes[name]));
  }
  const tagged = new Map((ours['tags'] as JsonObject[]).map((tag) => [tag['name'], tag]));
  // Other services of the file are named by their full name here, and have no option.
  for (const tag of theirs['tags'] as JsonObject[]) {
    const name = tag['name'] as string;
    if (tagged.has(name)) compare(`tag ${name}`, tag, tagged.get(name));
  }
  const byId = new Map(operations(theirs).map((operation) => [operation['operationId'], operation]));
  for (const operation of operations(ours)) {
    const other = byId.get(operation['operationId']);
    if (other === undefined) continue;
    const id = operation['operationId'] as string;
    const theirTags = other['tags'] as string[];
    if (theirTags.some((tag) => tagged.has(tag))) compare(`${id}: tags`, theirTags, operation['tags']);
    for (const name of ['externalDocs', 'deprecated', 'security', 'x-irreversible']) {
      compare(`${id}: ${name}`, other[name], operation[name]);
    }
    for (const [status, response] of entries(other['responses'])) {
      if (status === 'default') continue;
      const own = (operation['responses'] as Record<string, JsonObject>)[status];
      compare(`${id}: has ${status}`, true, own !== undefined);
      if (status !== '200') compare(`${id}: ${status}`, response['description'], own?.['description']);
      for (const [name, value] of Object.entries(response)) {
        if (name.startsWith('x-')) compare(`${id}: ${status}: ${name}`, value, own?.[name]);
      }
      const examples = response['examples'] as JsonObject | undefined;
      const media = (own?.['content'] as JsonObject | undefined)?.['application/json'] as JsonObject | undefined;
      if (examples !== undefined)
        compare(`${id}: ${status}: example`, examples['application/json'], media?.['example']);
    }
  }
  const echo = operations(ours).find(({ operationId }) => operationId === 'ABitOfEverythingService_Echo');
  const theirEcho = byId.get('ABitOfEverythingService_Echo')!;
  compare('summary of Echo', theirEcho['summary'], echo?.['summary']);
  compare('description of Echo', theirEcho['description'], echo?.['description']);
  const schemas = (ours['components'] as { schemas: Record<string, JsonObject> }).schemas;
  const fields = entries(
    (theirs['definitions'] as Record<string, JsonObject>)['examplepbABitOfEverything']!['properties'],
  );
  const ownFields = schemas[`${packageName}.ABitOfEverything`]!['properties'] as Record<string, JsonObject>;
  for (const [name, field] of fields) {
    const own = ownFields[name];
    // What stands in comments is cut into titles there; what options say is the same.
    for (const keyword of [
      'pattern',
      'format',
      'maxItems',
      'minItems',
      'minLength',
      'maxLength',
      'readOnly',
      'x-internal',
    ]) {
      const [left, right] = [field, own].map(
        (of) => of?.[keyword] ?? (of?.['items'] as JsonObject | undefined)?.[keyword],
      );
      if (left !== undefined && !isScalarFormat(keyword, left)) compare(`field ${name}: ${keyword}`, left, right);
    }
  }
  for (const name of [
    'floatValue',
    'mappedStringValue',
    'repeatedEnumAnnotation',
    'repeatedStringAnnotation',
    'productId',
  ]) {
    const field = fields.find(([known]) => known === name)![1];
    compare(`field ${name}: description`, field['description'], ownFields[name]!['description']);
  }
  const whole = (theirs['definitions'] as Record<string, JsonObject>)['examplepbABitOfEverything']!;
  compare('example of a message', [whole['example']], schemas[`${packageName}.ABitOfEverything`]!['examples']);
  compare(
    'external documentation of a message',
    whole['externalDocs'],
    schemas[`${packageName}.ABitOfEverything`]!['externalDocs'],
  );
  return { faults, compared };
}

function documentOf(folder: string): JsonObject {
  const problems = new ProblemList();
  const protos = [`${example}.proto`];
  const sources = { protos, protoPaths: [folder], descriptorSets: [], workingDirectory: folder, annotationsRoot };
  const schema = loadSchema(sources, problems, diskFiles);
  // Lists in paths, which the rules of google.api.http do not have, are reported, and their bindings missing.
  const bindings = bindingsOf(schema.services, problems);
  return openApiDocument([{ prefix: '', bindings, options: { ...plainOptions, notes: SchemaNotes.of(schema) } }], {});
}

function entries(value: unknown): [string, JsonObject][] {
  return Object.entries((value ?? {}) as Record<string, JsonObject>);
}

function operations({ paths }: JsonObject): JsonObject[] {
  return entries(paths).flatMap(([, item]) => entries(item).map(([, operation]) => operation));
}

/** The same in the terms of OpenAPI 2. */
function swaggerScheme(scheme: JsonObject | undefined): JsonObject | undefined {
  if (scheme === undefined) return undefined;
  const { type, scheme: kind, flows, ...rest } = scheme;
  if (type === 'http' && kind === 'basic') return { type: 'basic', ...rest };
  const [flow] = entries(flows);
  return flow === undefined
    ? scheme
    : { type: type!, flow: flow[0] === 'authorizationCode' ? 'accessCode' : flow[0], ...flow[1], ...rest };
}

/** The formats of numbers and bytes are what each says of the type, and no option. */
function isScalarFormat(keyword: string, value: unknown): boolean {
  return keyword === 'format' && value !== 'uuid';
}
