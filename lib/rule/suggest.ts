/**
 * Proposes an HTTP rule for an RPC from its name and its request, in the style of Google's standard methods (AIP-131 to
 * AIP-136, AIP-231 and on): Get, List, Create, Update, Delete, batches, and custom verbs. Only a guess for people to look at:
 * whether the rules fit together is for the loader to say.
 */
import type { FieldDescriptor, MessageDescriptor, MethodDescriptor, ServiceDescriptor } from '../schema/index.js';
import { snakeCase } from '../options/index.js';
import { isTextType } from './field-path.js';

/** A rule as it is written in a service config. */
export interface ProposedRule {
  /** `package.Service.Method`. */
  readonly selector: string;
  readonly verb: 'get' | 'post' | 'patch' | 'delete';
  readonly path: string;
  /** `*` or the name of a field; undefined: none. */
  readonly body?: string | undefined;
  /** False: the name says nothing, and the path is that of the RPC. */
  readonly isGuess: boolean;
}

/** A rule for each RPC of a service that `wants` it, in order. */
export function proposeRules(service: ServiceDescriptor, wants: (method: MethodDescriptor) => boolean): ProposedRule[] {
  const resources = resourcesOf(service);
  return service.methods.filter(wants).map((method) => propose(method, resources) ?? plainRule(method));
}

/** `POST /package.Service/Method` with the request as its body: it fits every RPC. */
export function plainRule({ fullName, path }: MethodDescriptor): ProposedRule {
  return { selector: fullName, verb: 'post', path, body: '*', isGuess: false };
}

type Guess = Pick<ProposedRule, 'verb' | 'path' | 'body'>;

/** What the methods of a service are about: singular names of its standard methods, `BookShelf`. */
function resourcesOf({ methods }: ServiceDescriptor): ReadonlySet<string> {
  return new Set(
    methods.flatMap(({ name }) => {
      const [, verb, noun] = /^(Get|List|Create|Update|Delete)([A-Z]\w*)$/.exec(name) ?? [];
      if (noun === undefined) return [];
      return [verb === 'List' ? singular(noun) : noun];
    }),
  );
}

function propose(method: MethodDescriptor, resources: ReadonlySet<string>): ProposedRule | undefined {
  // The messages of a stream are a body of their own each, which no template of ours describes.
  if (method.clientStreaming) return undefined;
  const guess = standard(method) ?? batch(method, resources) ?? custom(method, resources);
  return guess && { selector: method.fullName, isGuess: true, ...guess };
}

function standard(method: MethodDescriptor): Guess | undefined {
  const [, verb, noun] = /^(Get|List|Create|Update|Delete)([A-Z]\w*)$/.exec(method.name) ?? [];
  if (noun === undefined) return undefined;
  const root = rootOf(method);
  switch (verb) {
    case 'Get': {
      const key = keyOf(method.input, noun);
      const path = key === undefined ? `${root}/${lowerFirst(noun)}` : `${root}/${resourcePath(key, noun, method)}`;
      return withQuery(method, 'get', path, key);
    }
    case 'List': {
      const { prefix, field } = parentOf(method.input);
      return withQuery(method, 'get', `${root}/${prefix}${lowerFirst(noun)}`, field);
    }
    case 'Create': {
      const { prefix } = parentOf(method.input);
      return {
        verb: 'post',
        path: `${root}/${prefix}${collection(noun)}`,
        body: bodyField(method.input, noun)?.name ?? '*',
      };
    }
    case 'Update':
      return update(method, noun, root);
    default: {
      const key = keyOf(method.input, noun);
      return key && withQuery(method, 'delete', `${root}/${resourcePath(key, noun, method)}`, key);
    }
  }
}

/** The key stands in the resource, `book.name`, or beside it. */
function update(method: MethodDescriptor, noun: string, root: string): Guess | undefined {
  const resource = bodyField(method.input, noun);
  const inner = resource?.message && keyOf(resource.message, noun);
  if (resource !== undefined && inner !== undefined) {
    const path = resourcePath(inner, noun, method, `${resource.name}.${inner.name}`);
    return { verb: 'patch', path: `${root}/${path}`, body: resource.name };
  }
  const key = keyOf(method.input, noun);
  return key && { verb: 'patch', path: `${root}/${resourcePath(key, noun, method)}`, body: resource?.name ?? '*' };
}

/** `BatchGetBooks` → `GET /v1/books:batchGet`. */
function batch(method: MethodDescriptor, resources: ReadonlySet<string>): Guess | undefined {
  const [, verb, noun] = /^Batch([A-Z][a-z0-9]*)([A-Z]\w*)$/.exec(method.name) ?? [];
  if (verb === undefined || noun === undefined || !resources.has(singular(noun))) return undefined;
  const { prefix, field } = parentOf(method.input);
  const path = `${rootOf(method)}/${prefix}${lowerFirst(noun)}:batch${verb}`;
  if (verb === 'Get') return withQuery(method, 'get', path, field) ?? { verb: 'post', path, body: '*' };
  return { verb: 'post', path, body: '*' };
}

const standardVerbs = new Set(['Get', 'List', 'Create', 'Update', 'Delete']);
const readingVerbs = new Set(['Search', 'Watch', 'Count', 'Stream', 'Query', 'Find']);

/** `ArchiveBook` → `POST /v1/{name=books/*}:archive`; `SearchBooks` → `GET /v1/books:search`. */
function custom(method: MethodDescriptor, resources: ReadonlySet<string>): Guess | undefined {
  const words = method.name.match(/[A-Z][a-z0-9]*/g) ?? [];
  if (words.join('') !== method.name) return undefined;
  for (let count = 1; count < words.length; count++) {
    const verb = words.slice(0, count).join('');
    const noun = words.slice(count).join('');
    if (standardVerbs.has(verb)) continue;
    const isMany = !resources.has(noun) && resources.has(singular(noun));
    if (!isMany && !resources.has(noun)) continue;
    const root = rootOf(method);
    const { prefix, field } = parentOf(method.input);
    const key = isMany ? undefined : keyOf(method.input, noun);
    const base =
      key === undefined ? `${prefix}${isMany ? lowerFirst(noun) : collection(noun)}` : resourcePath(key, noun, method);
    const path = `${root}/${base}:${lowerFirst(verb)}`;
    const reading = readingVerbs.has(verb) ? withQuery(method, 'get', path, key ?? field) : undefined;
    return reading ?? { verb: 'post', path, body: '*' };
  }
  return undefined;
}

/** `/v1` of the package `library.v1`; '/v1' for a package without a version, too. */
function rootOf({ service }: MethodDescriptor): string {
  const version = service.file.package.split('.').findLast((part) => /^v\d+((alpha|beta|p)\d*)*$/.test(part));
  return `/${version ?? 'v1'}`;
}

/** Undefined if a query cannot hold what the path does not. */
function withQuery(
  { input }: MethodDescriptor,
  verb: 'get' | 'delete',
  path: string,
  inPath: FieldDescriptor | undefined,
): Guess | undefined {
  return input.fields.every((field) => field === inPath || fitsQuery(field, [input])) ? { verb, path } : undefined;
}

function fitsQuery(field: FieldDescriptor, within: readonly MessageDescriptor[]): boolean {
  if (field.map !== undefined) return false;
  const { message } = field;
  if (message === undefined || isTextType(message)) return true;
  if (field.repeated || within.includes(message)) return false;
  return message.fields.every((inner) => fitsQuery(inner, [...within, message]));
}

const keyTypes = new Set(['string', 'int32', 'int64', 'uint32', 'uint64', 'fixed32', 'fixed64', 'sint32', 'sint64']);

/** The field that says which resource is meant. */
function keyOf({ fields }: MessageDescriptor, noun: string): FieldDescriptor | undefined {
  const snake = snakeCase(noun);
  const names = ['name', `${snake}_id`, `${snake}_name`, 'id', 'uid', 'key', snake];
  const candidates = fields.filter((field) => keyTypes.has(field.type) && !field.repeated && field.map === undefined);
  return names.flatMap((name) => candidates.filter((field) => field.name === name))[0];
}

/** `{name=books/*}` for a resource name, `books/{book_id}` for a key. */
function resourcePath(key: FieldDescriptor, noun: string, method: MethodDescriptor, fieldPath = key.name): string {
  if (key.name === 'name' && key.type === 'string') {
    const pattern = patternIn(key) ?? (isNamed(method, noun) ? nestedPattern(method, collection(noun)) : undefined);
    if (pattern !== undefined) return `{${fieldPath}=${pattern}}`;
  }
  const { prefix, field } = parentOf(key.parent);
  return `${field === undefined ? '' : prefix}${collection(noun)}/{${fieldPath}}`;
}

/** What a comment says of the form of a resource name: `publishers/{publisher}/books/{book}`. */
function patternIn({ comment }: FieldDescriptor): string | undefined {
  const found = /(?:^|[\s"'`:])((?:[a-z][A-Za-z0-9]*\/(?:\{\w+\}|\*)\/?)+)(?=$|[\s"'`.,;)])/.exec(comment)?.[1];
  return found?.replace(/\{\w+\}/g, '*').replace(/\/$/, '');
}

/** True if `name` is a resource name (AIP-122) rather than a word: there is a parent, or the resource has no other key. */
function isNamed({ service, output }: MethodDescriptor, noun: string): boolean {
  if (service.methods.some(({ input }) => parentOf(input).field !== undefined)) return true;
  const resource = service.methods.map((method) => method.output).find(({ name }) => name === noun) ?? output;
  const names = new Set(resource.fields.map(({ name }) => name));
  return names.has('name') && !['id', 'uid', `${snakeCase(noun)}_id`].some((name) => names.has(name));
}

/** Below a parent if the resources of the service have one. */
function nestedPattern({ service }: MethodDescriptor, plural: string): string {
  const hasParent = service.methods.some(
    ({ name, input }) =>
      parentOf(input).field !== undefined && name.toLowerCase().includes(plural.toLowerCase().slice(0, -1)),
  );
  return hasParent ? `*/*/${plural}/*` : `${plural}/*`;
}

/** `{parent=publishers/*}/` if the request has a parent, else ''. */
function parentOf({ fields }: MessageDescriptor): { readonly prefix: string; readonly field?: FieldDescriptor } {
  const field = fields.find(({ name, type, repeated }) => name === 'parent' && type === 'string' && !repeated);
  if (field === undefined) return { prefix: '' };
  return { prefix: `{parent=${patternIn(field) ?? '*/*'}}/`, field };
}

/** The field that holds the resource: `book` of the type `Book`. */
function bodyField({ fields }: MessageDescriptor, noun: string): FieldDescriptor | undefined {
  return fields.find(({ name, message, repeated }) => name === snakeCase(noun) && message !== undefined && !repeated);
}

/** `BookShelf` → `bookShelves`. */
function collection(noun: string): string {
  return lowerFirst(plural(noun));
}

function plural(noun: string): string {
  if (/(?:[^aeiou])y$/i.test(noun)) return `${noun.slice(0, -1)}ies`;
  if (/(?:s|x|z|ch|sh)$/i.test(noun)) return `${noun}es`;
  return /(?:el|ol|af|l)f$/i.test(noun) ? `${noun.slice(0, -1)}ves` : `${noun}s`;
}

function singular(noun: string): string {
  if (/ies$/i.test(noun)) return `${noun.slice(0, -3)}y`;
  if (/(?:s|x|z|ch|sh)es$/i.test(noun)) return noun.slice(0, -2);
  if (/(?:el|ol|af|l)ves$/i.test(noun)) return `${noun.slice(0, -3)}f`;
  return /[^s]s$/i.test(noun) ? noun.slice(0, -1) : noun;
}

function lowerFirst(name: string): string {
  // Also of an abbreviation: VPCPeer → vpcPeer.
  return name.replace(/^[A-Z]+(?=[A-Z][a-z]|$)|^[A-Z]/, (head) => head.toLowerCase());
}
