/**
 * Messages and enums → JSON Schemas of their ProtoJSON form, as `components/schemas` of one document. A component is made by
 * the first reference to it.
 */
import { NULL_VALUE_ENUM, wrappedField } from '../codec/index.js';
import type { EnumDescriptor, FieldDescriptor, MessageDescriptor } from '../schema/types.js';
import { type FreeField, freeFields, type Given } from './given.js';
import type { ComponentNames, OwnComponent } from './names.js';
import {
  compact,
  type Constraint,
  type DocumentNotes,
  type FieldConstraints,
  joined,
  type Json,
  type JsonObject,
  type OpenApiOptions,
  type PrintOptions,
} from './options.js';
import { isNullValue, printedName } from './print.js';
import { isNeeded } from './required.js';

/** A larger oneof is only described in words, because the rule of each member names all others. */
const MAX_ONEOF_RULES = 16;

const scalars: Readonly<Record<string, JsonObject>> = {
  double: { type: 'number', format: 'double' },
  float: { type: 'number', format: 'float' },
  int32: { type: 'integer', format: 'int32' },
  sint32: { type: 'integer', format: 'int32' },
  sfixed32: { type: 'integer', format: 'int32' },
  uint32: { type: 'integer', format: 'uint32', minimum: 0 },
  fixed32: { type: 'integer', format: 'uint32', minimum: 0 },
  bool: { type: 'boolean' },
  string: { type: 'string' },
  bytes: { type: 'string', contentEncoding: 'base64' },
};

/** Of google.api.field_info. */
const formats: Readonly<Record<string, JsonObject>> = {
  UUID4: { format: 'uuid' },
  IPV4: { format: 'ipv4' },
  IPV6: { format: 'ipv6' },
  IPV4_OR_IPV6: { anyOf: [{ format: 'ipv4' }, { format: 'ipv6' }] },
};

/** What google.api.field_behavior says and JSON Schema does not. */
const behaviorTexts: Readonly<Record<string, string>> = {
  IMMUTABLE: 'Cannot be changed once it is set.',
  IDENTIFIER: 'Identifies the resource.',
  UNORDERED_LIST: 'The order of the elements does not matter.',
  NON_EMPTY_DEFAULT: 'If it is not set, the service chooses a value.',
};

// Without an example, tools make one of 70 digits from the pattern.
const signed64: JsonObject = { type: 'string', format: 'int64', pattern: '^-?[0-9]+$', examples: ['1'] };
const unsigned64: JsonObject = { type: 'string', format: 'uint64', pattern: '^[0-9]+$', examples: ['1'] };

const wellKnown: Readonly<Record<string, JsonObject>> = {
  'google.protobuf.Timestamp': { type: 'string', format: 'date-time' },
  'google.protobuf.Duration': { type: 'string', pattern: '^-?[0-9]+(\\.[0-9]{1,9})?s$', examples: ['1.5s'] },
  'google.protobuf.FieldMask': { type: 'string', description: 'Field paths, separated by commas.' },
  'google.protobuf.Struct': { type: 'object', additionalProperties: true },
  'google.protobuf.Value': { description: 'Any JSON value.' },
  'google.protobuf.ListValue': { type: 'array', items: {} },
  'google.protobuf.Empty': { type: 'object', maxProperties: 0 },
  'google.protobuf.Any': {
    type: 'object',
    description: 'A message of any type; `@type` names it. Without, there is none.',
    properties: { '@type': { type: 'string', examples: ['type.googleapis.com/google.rpc.ErrorInfo'] } },
    additionalProperties: true,
  },
};

/** Means `{ type: 'null' }`, which openapi-generator mistakes for the name of a class. */
const jsonNull: JsonObject = { const: null };

/** NullValue as text, for parameters. */
const nullText: JsonObject = { type: 'string', enum: ['NULL_VALUE'] };

/** What `double` and `float` are in answers: ProtoJSON writes what JSON has no numbers for as text. */
const exactFloat: JsonObject = { type: ['number', 'string'] };

/** How schemas are written. */
export interface SchemaForm {
  /** Where references find components. Default: in `components/schemas` of an OpenAPI document. */
  readonly refs: string;
  /**
   * Every answer that a service may send is valid, also with values of enums that the schema does not know, numbers that are
   * not finite, and required fields at their defaults. Default: false, which says more to people and generators.
   */
  readonly isExact: boolean;
}

const openApiForm: SchemaForm = { refs: '#/components/schemas/', isExact: false };

/** Makes the schemas of one document. */
export class SchemaBuilder {
  private readonly made = new Map<string, JsonObject>();
  private readonly given = new Map<string, JsonObject>();

  constructor(
    private readonly names: ComponentNames,
    private readonly form: SchemaForm = openApiForm,
  ) {}

  /** All components, by name. */
  get components(): JsonObject {
    return Object.fromEntries([...this.given, ...this.made].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** Adds a component of the proxy's own, such as an error shape; returns a reference to it. */
  add(component: OwnComponent, schema: JsonObject): JsonObject {
    return this.put(this.names.ofOwn(component), () => schema);
  }

  /** A reference to a message, or the schema of a well-known type. */
  message(message: MessageDescriptor, options: OpenApiOptions): JsonObject {
    return (
      this.known(message, options) ??
      this.put(this.names.of(message, printKey(options)), () => this.object(message, options))
    );
  }

  /**
   * The schema of a message without the fields that a path or header sets, and without other members of their oneofs.
   * @param partial for a PATCH, which may send any part: only proto2 `required` fields are required
   */
  object(
    message: MessageDescriptor,
    options: OpenApiOptions,
    given: readonly Given[] = [],
    partial = false,
  ): JsonObject {
    const free = freeFields(message, given);
    const own = this.notesOf(options);
    const { required: named, ...noted } = own?.message(message) ?? {};
    const isNamed = ({ name }: FieldDescriptor): boolean => Array.isArray(named) && named.includes(name);
    // An example of the whole message is none of a part.
    const said = given.length === 0 && !partial ? noted : compact({ ...noted, examples: undefined });
    const properties = free.map(({ field, given: below }) => {
      const schema =
        below.length === 0
          ? this.property(field, options)
          : { ...this.object(field.message!, options, below, partial), ...notes(field), ...own?.field(field).schema };
      // If the path sets a part of a message, the body must give the rest of its required fields.
      const isNoted = !partial && (isNamed(field) || own?.field(field).isRequired === true);
      const isRequired =
        below.length === 0 ? isNoted || isNeededField(field, options, partial) : schema['required'] !== undefined;
      return { name: printedName(field, options), schema, isRequired };
    });
    const required = properties.filter(({ isRequired }) => isRequired && !this.form.isExact).map(({ name }) => name);
    const oneofs = oneofsOf(free.map(({ field }) => field));
    return compact({
      type: 'object',
      ...said,
      description: text(
        typeof said['description'] === 'string' ? said['description'] : message.comment,
        oneofText(oneofs, options),
      ),
      properties: Object.fromEntries(properties.map(({ name, schema }) => [name, schema])),
      required: required.length === 0 ? undefined : required,
      dependentSchemas: oneofRules(oneofs, options),
      ...(this.form.isExact ? {} : groupRules(message, free, options)),
      deprecated: message.deprecated || said['deprecated'],
    });
  }

  /**
   * A part of an option, with references to our schemas where it names types: `.a.v1.Book`, or `#/components/schemas/Book` as
   * other generators name them. A type that is unknown has any value.
   */
  named(part: JsonObject, options: OpenApiOptions): JsonObject {
    return this.referring(part, options) as JsonObject;
  }

  private referring(part: Json, options: OpenApiOptions): Json {
    if (typeof part !== 'object' || part === null) return part;
    if (Array.isArray(part)) return part.map((one: Json) => this.referring(one, options));
    const { $ref, ...beside } = part as JsonObject;
    if (typeof $ref !== 'string') {
      return Object.fromEntries(Object.entries(part).map(([name, one]) => [name, this.referring(one, options)]));
    }
    const name = /^(?:#\/components\/schemas\/|\.|(?!#))(.*)$/.exec($ref)?.[1];
    if (name === undefined || this.given.has(name)) return part;
    const type = options.notes?.typeOf(name);
    if (type === undefined) return beside;
    return { ...('fields' in type ? this.message(type, options) : this.enum(type, options)), ...beside };
  }

  /** Schemas that options of the schema give. A schema of the proxy's of the same name counts. */
  give(schemas: JsonObject, options: OpenApiOptions): void {
    for (const name of Object.keys(schemas)) this.given.set(name, {});
    for (const [name, schema] of Object.entries(schemas))
      this.given.set(name, this.named(schema as JsonObject, options));
  }

  /** The value of a field, with its comment. */
  property(field: FieldDescriptor, options: OpenApiOptions): JsonObject {
    const schema = this.field(field, options);
    return {
      ...(isPrintedAsNull(field, options) ? orNull(schema) : schema),
      ...notes(field, this.words(field, options)),
      ...this.notesOf(options)?.field(field).schema,
    };
  }

  /** What options of the schema say is for people, and not for those who judge answers by it. */
  private notesOf({ notes }: OpenApiOptions): DocumentNotes | undefined {
    return this.form.isExact ? undefined : notes;
  }

  /** What rules say of a field and its schema does not. */
  words(field: FieldDescriptor, options: OpenApiOptions): string {
    const rules = this.rulesOf(field, options);
    if (rules === undefined) return '';
    const each = (words: string, of: string): string => (words === '' ? '' : `${of}: ${words}`);
    const { whole, items, keys } = rules;
    return [
      whole.words,
      each(keys.words, 'Each key'),
      each(items.words, field.map === undefined ? 'Each element' : 'Each value'),
    ]
      .filter((words) => words !== '')
      .join(' ');
  }

  private rulesOf(field: FieldDescriptor, options: OpenApiOptions): FieldConstraints | undefined {
    return this.form.isExact ? undefined : options.constraints?.of(field, options);
  }

  /** The value of a field: a list, a map or a single value. */
  field(field: FieldDescriptor, options: OpenApiOptions): JsonObject {
    const isSingle = field.map === undefined && !field.repeated;
    const isWrapper = isSingle && field.message !== undefined && wrappedField(field.message) !== undefined;
    // Elements of lists and values of maps cannot be null.
    if (!isWrapper) return this.listed(field, options);
    const rules = this.rulesOf(field, options);
    const schema = ruled(this.single(field, options), rules?.whole);
    return rules?.isNeeded === true ? schema : nullable(schema);
  }

  /** A field that is the whole answer. If it is not set, it is null unless it is written as an object. */
  responseBody(field: FieldDescriptor, options: OpenApiOptions): JsonObject {
    const schema = this.field(field, options);
    const isSingle = field.message !== undefined && !field.repeated;
    return isSingle && (schema['type'] === 'string' || schema['type'] === 'array') ? nullable(schema) : schema;
  }

  /** A field's value in a path, a query, a header or a cookie, where there is no null. */
  parameter(field: FieldDescriptor, options: OpenApiOptions): JsonObject {
    if (field.map !== undefined) return this.listed(field, options);
    const one = this.parameterItem(field, options);
    if (!field.repeated) return { ...one, ...described(this.notesOf(options)?.field(field).schema) };
    return ruled({ type: 'array', items: one }, this.rulesOf(field, options)?.whole);
  }

  /** One value of a parameter, whether the field is repeated or not. */
  parameterItem(field: FieldDescriptor, options: OpenApiOptions): JsonObject {
    if (isNullValue(field)) return nullText;
    const rules = this.rulesOf(field, options);
    return ruled(this.single(field, options), field.repeated ? rules?.items : rules?.whole);
  }

  private listed(field: FieldDescriptor, options: OpenApiOptions): JsonObject {
    const rules = this.rulesOf(field, options);
    if (field.map !== undefined) {
      const names = ruled(keyNames(field.map.key) ?? {}, rules?.keys);
      const schema = compact({
        type: 'object',
        propertyNames: Object.keys(names).length === 0 ? undefined : names,
        additionalProperties: ruled(this.single(field.map.value, options), rules?.items),
      });
      return ruled(schema, rules?.whole);
    }
    const one = this.single(field, options);
    return field.repeated
      ? ruled(
          { type: 'array', items: { ...ruled(one, rules?.items), ...this.notesOf(options)?.field(field).items } },
          rules?.whole,
        )
      : ruled(one, rules?.whole);
  }

  private single(field: FieldDescriptor, options: OpenApiOptions): JsonObject {
    if (field.message !== undefined) return this.message(field.message, options);
    if (field.enum !== undefined) return this.enum(field.enum, options);
    if (/64$/.test(field.type)) return integer64(field.type, options);
    const form = field.format === undefined || this.form.isExact ? undefined : formats[field.format];
    if (field.type === 'string' && form !== undefined) return { type: 'string', ...form };
    const isFloat = field.type === 'double' || field.type === 'float';
    return isFloat && this.form.isExact ? exactFloat : scalars[field.type]!;
  }

  private enum(descriptor: EnumDescriptor, options: OpenApiOptions): JsonObject {
    if (descriptor.fullName === NULL_VALUE_ENUM) return jsonNull;
    const values = descriptor.values.map((value) => (options.alwaysPrintEnumsAsInts ? value.number : value.name));
    const known = [...new Set(values)];
    const { isExact } = this.form;
    return this.put(this.names.of(descriptor, printKey(options)), () =>
      compact({
        type: isExact ? undefined : options.alwaysPrintEnumsAsInts ? 'integer' : 'string',
        description: text(descriptor.comment, enumText(descriptor)),
        enum: isExact ? undefined : known,
        anyOf: isExact ? [{ enum: known }, { type: 'integer' }] : undefined,
        deprecated: descriptor.deprecated || undefined,
        ...this.notesOf(options)?.enum(descriptor),
      }),
    );
  }

  private known(message: MessageDescriptor, options: OpenApiOptions): JsonObject | undefined {
    const wrapped = wrappedField(message);
    if (wrapped !== undefined) return this.single(wrapped, options);
    return Object.hasOwn(wellKnown, message.fullName) ? wellKnown[message.fullName] : undefined;
  }

  private put(name: string, make: () => JsonObject): JsonObject {
    if (!this.made.has(name)) {
      // Reserve the name first, as messages may contain themselves.
      this.made.set(name, {});
      this.made.set(name, make());
    }
    return { $ref: `${this.form.refs}${name}` };
  }
}

/** A key that is equal for options that print types in the same way. */
function printKey(options: PrintOptions): string {
  const { preserveProtoFieldNames, int64AsNumbers, alwaysPrintEnumsAsInts, alwaysPrintAllFields, constraints } =
    options;
  const flags = [preserveProtoFieldNames, int64AsNumbers, alwaysPrintEnumsAsInts, alwaysPrintAllFields];
  return [...flags, constraints !== undefined].map(Number).join('');
}

/** The annotations of a field. */
function notes(field: FieldDescriptor, words = ''): JsonObject {
  const behaviors = field.behaviors.flatMap((behavior) => behaviorTexts[behavior] ?? []);
  return compact({
    description: text(field.comment, behaviors.join(' '), words),
    readOnly: field.behaviors.includes('OUTPUT_ONLY') || undefined,
    writeOnly: field.behaviors.includes('INPUT_ONLY') || undefined,
    deprecated: field.deprecated || undefined,
  });
}

/** Rules hold for the message of a PATCH as for any other. */
function isNeededField(field: FieldDescriptor, options: OpenApiOptions, partial: boolean): boolean {
  if (!partial) return isNeeded(field, options);
  return field.required || options.constraints?.of(field, options).isNeeded === true;
}

/** What options say of a value, without the description, which a parameter has beside its schema. */
function described(schema: JsonObject = {}): JsonObject {
  const { description: _, ...keywords } = schema;
  return keywords;
}

/** A schema with what rules say of its values. A sample that breaks them is replaced. */
function ruled(schema: JsonObject, constraint: Constraint | undefined): JsonObject {
  if (constraint === undefined) return schema;
  const { examples } = schema;
  const isWrong = Array.isArray(examples) && !examples.every((example) => constraint.accepts(example as Json));
  const found = constraint.samples.filter((sample) => constraint.accepts(sample));
  return compact({
    ...schema,
    ...constraint.schema,
    examples: isWrong ? (found.length === 0 ? undefined : found.slice(0, 1)) : examples,
  });
}

/** One of the fields of each group must be given. A group of which path or headers may give a field is left out. */
function groupRules(message: MessageDescriptor, free: readonly FreeField[], options: OpenApiOptions): JsonObject {
  const groups = options.constraints?.groups(message) ?? [];
  const isFree = (field: FieldDescriptor): boolean => free.some((one) => one.field === field && one.given.length === 0);
  return joined(
    groups
      .filter((fields) => fields.length > 0 && fields.every(isFree))
      .map((fields) => ({ anyOf: fields.map((field) => ({ required: [printedName(field, options)] })) })),
  );
}

/** True if answers print the field as null when it is not set. */
function isPrintedAsNull(field: FieldDescriptor, { alwaysPrintAllFields }: PrintOptions): boolean {
  const isChoice = field.oneof !== undefined || field.isProto3Optional;
  return alwaysPrintAllFields && !isChoice && field.message !== undefined && !field.repeated && field.map === undefined;
}

function orNull(schema: JsonObject): JsonObject {
  const { type } = schema;
  if (typeof type === 'string') return nullable(schema);
  return Array.isArray(type) && type.includes('null') ? schema : { anyOf: [schema, jsonNull] };
}

function nullable(schema: JsonObject): JsonObject {
  const { const: only, enum: listed = only === undefined ? undefined : [only] } = schema;
  const values = Array.isArray(listed) ? [...(listed as readonly Json[]), null] : undefined;
  const type = [schema['type'] as string | string[], 'null'].flat();
  return compact({ ...schema, type, const: undefined, enum: values });
}

function integer64(type: string, { int64AsNumbers }: OpenApiOptions): JsonObject {
  const unsigned = type === 'uint64' || type === 'fixed64';
  if (!int64AsNumbers) return unsigned ? unsigned64 : signed64;
  return unsigned ? { type: 'integer', format: 'uint64', minimum: 0 } : { type: 'integer', format: 'int64' };
}

function keyNames(key: FieldDescriptor): JsonObject | undefined {
  if (key.type === 'string') return undefined;
  return key.type === 'bool'
    ? { enum: ['true', 'false'] }
    : { pattern: /^u|^fixed/.test(key.type) ? '^[0-9]+$' : '^-?[0-9]+$' };
}

/** The members of a oneof that may be set here; at least two. */
interface OneofMembers {
  readonly comment: string;
  readonly members: readonly FieldDescriptor[];
}

function oneofsOf(fields: readonly FieldDescriptor[]): OneofMembers[] {
  const oneofs = new Set(fields.flatMap(({ oneof }) => oneof ?? []));
  return [...oneofs]
    .map((oneof) => ({ comment: oneof.comment, members: fields.filter((field) => field.oneof === oneof) }))
    .filter(({ members }) => members.length > 1);
}

/** If one member is present, the others must not be. `{"not": {}}` means `false`, which some tools do not support. */
function oneofRules(oneofs: readonly OneofMembers[], options: OpenApiOptions): JsonObject | undefined {
  const rules: Record<string, Json> = {};
  for (const { members } of oneofs) {
    if (members.length > MAX_ONEOF_RULES) continue;
    for (const member of members) {
      const others = members.filter((other) => other !== member);
      const properties = Object.fromEntries(others.map((other) => [printedName(other, options), { not: {} }]));
      rules[printedName(member, options)] = { properties };
    }
  }
  return Object.keys(rules).length === 0 ? undefined : rules;
}

function oneofText(oneofs: readonly OneofMembers[], options: OpenApiOptions): string {
  return oneofs
    .map(({ comment, members }) => {
      const names = members.map((field) => `\`${printedName(field, options)}\``).join(', ');
      return `At most one of ${names} is set.${comment === '' ? '' : ` ${comment}`}`;
    })
    .join('\n\n');
}

function enumText({ values }: EnumDescriptor): string {
  const commented = values.filter(({ comment }) => comment !== '');
  return commented.map(({ name, comment }) => `- \`${name}\`: ${comment.replace(/\s+/g, ' ')}`).join('\n');
}

/** Joins paragraphs and drops empty ones; undefined if none is left. */
export function text(...paragraphs: readonly string[]): string | undefined {
  const joined = paragraphs.filter((paragraph) => paragraph !== '').join('\n\n');
  return joined === '' ? undefined : joined;
}
