/**
 * Messages and enums → JSON Schemas of their ProtoJSON form, as `components/schemas` of one document. A component is named
 * by its full name, and made when something first refers to it.
 */
import type { EnumDescriptor, FieldDescriptor, MessageDescriptor, OneofDescriptor } from '../schema/types.js';
import { compact, type Json, type JsonObject, type OpenApiOptions } from './options.js';

/** A oneof with more members is told in words alone: the rule for each member names all others. */
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

const signed64: JsonObject = { type: 'string', format: 'int64', pattern: '^-?[0-9]+$' };
const unsigned64: JsonObject = { type: 'string', format: 'uint64', pattern: '^[0-9]+$' };

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
    description: 'A message of any type; `@type` names it.',
    properties: { '@type': { type: 'string', examples: ['type.googleapis.com/google.rpc.ErrorInfo'] } },
    required: ['@type'],
    additionalProperties: true,
  },
  'google.api.HttpBody': { type: 'string', contentMediaType: 'application/octet-stream' },
};

const wrappers = /^google\.protobuf\.(?:Double|Float|U?Int64|U?Int32|Bool|String|Bytes)Value$/;

/** Where a schema is used: what a client sends or what it gets. */
export class SchemaBuilder {
  private readonly made = new Map<string, JsonObject>();
  /** By component name, the options that it was made with: two listeners' parts may print differently. */
  private readonly names = new Map<string, string>();

  /** All components, by name. */
  get components(): JsonObject {
    return Object.fromEntries([...this.made].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** Adds a component that is no message, such as an error shape; returns a reference to it. */
  add(name: string, schema: JsonObject): JsonObject {
    if (!this.made.has(name)) this.made.set(name, schema);
    return reference(name);
  }

  /** A message by reference, or a well-known type in its own form. */
  message(message: MessageDescriptor, options: OpenApiOptions): JsonObject {
    const known = this.known(message, options);
    if (known !== undefined) return known;
    const name = this.componentName(message.fullName, options);
    if (!this.made.has(name)) {
      // Taken before it is made, as messages may hold themselves.
      this.made.set(name, {});
      this.made.set(name, this.object(message, options));
    }
    return reference(name);
  }

  /**
   * A message in place, with some fields left out: those that a path or a header gives.
   * @param partial nothing is required: a PATCH changes what it is sent
   */
  object(
    message: MessageDescriptor,
    options: OpenApiOptions,
    without: readonly FieldDescriptor[] = [],
    partial = false,
  ): JsonObject {
    const fields = message.fields.filter((field) => !without.includes(field));
    const required = partial ? [] : fields.filter(isRequired).map((field) => printedName(field, options));
    return compact({
      type: 'object',
      description: text(message.comment, oneofText(message, options)),
      properties: Object.fromEntries(
        fields.map((field) => [printedName(field, options), this.property(field, options)]),
      ),
      required: required.length === 0 ? undefined : required,
      dependentSchemas: oneofRules(message.oneofs, options, without),
      deprecated: message.deprecated || undefined,
    });
  }

  /** One field's value with its comment. */
  property(field: FieldDescriptor, options: OpenApiOptions): JsonObject {
    const schema = this.field(field, options);
    const notes = compact({
      description: text(field.comment),
      readOnly: field.behaviors.includes('OUTPUT_ONLY') || undefined,
      writeOnly: field.behaviors.includes('INPUT_ONLY') || undefined,
      deprecated: field.deprecated || undefined,
    });
    return { ...schema, ...notes };
  }

  /** One field's value: a list, a map or a single one. */
  field(field: FieldDescriptor, options: OpenApiOptions): JsonObject {
    if (field.map !== undefined) {
      return compact({
        type: 'object',
        propertyNames: keyNames(field.map.key),
        additionalProperties: this.single(field.map.value, options),
      });
    }
    const one = this.single(field, options);
    return field.repeated ? { type: 'array', items: one } : one;
  }

  /** One element, whether the field is repeated or not. */
  single(field: FieldDescriptor, options: OpenApiOptions): JsonObject {
    if (field.message !== undefined) return this.message(field.message, options);
    if (field.enum !== undefined) return this.enum(field.enum, options);
    if (/64$/.test(field.type)) return integer64(field.type, options);
    return scalars[field.type]!;
  }

  private enum(descriptor: EnumDescriptor, options: OpenApiOptions): JsonObject {
    if (descriptor.fullName === 'google.protobuf.NullValue') return { type: 'null' };
    const name = this.componentName(descriptor.fullName, options);
    const values = descriptor.values.map((value) => (options.alwaysPrintEnumsAsInts ? value.number : value.name));
    return this.add(
      name,
      compact({
        type: options.alwaysPrintEnumsAsInts ? 'integer' : 'string',
        description: text(descriptor.comment, enumText(descriptor)),
        enum: [...new Set(values)],
        deprecated: descriptor.deprecated || undefined,
      }),
    );
  }

  private known(message: MessageDescriptor, options: OpenApiOptions): JsonObject | undefined {
    if (wrappers.test(message.fullName)) {
      const inner = this.single(message.fieldByNumber(1)!, options);
      return { ...inner, type: [inner['type'] as string, 'null'] };
    }
    return Object.hasOwn(wellKnown, message.fullName) ? wellKnown[message.fullName] : undefined;
  }

  /** The full name; with a suffix where parts of one document print the same message in different ways. */
  private componentName(fullName: string, options: OpenApiOptions): string {
    const { preserveProtoFieldNames, int64AsNumbers, alwaysPrintEnumsAsInts } = options;
    const how = [preserveProtoFieldNames, int64AsNumbers, alwaysPrintEnumsAsInts].join();
    for (let count = 1; ; count++) {
      const name = count === 1 ? fullName : `${fullName}-${count}`;
      const owner = this.names.get(name);
      if (owner === undefined) this.names.set(name, how);
      if (owner === undefined || owner === how) return name;
    }
  }
}

function reference(name: string): JsonObject {
  return { $ref: `#/components/schemas/${name}` };
}

/** The name that answers have. */
export function printedName(field: FieldDescriptor, options: Pick<OpenApiOptions, 'preserveProtoFieldNames'>): string {
  return options.preserveProtoFieldNames ? field.name : field.jsonName;
}

/** True for what a client must give. */
export function isRequired({ behaviors, required }: FieldDescriptor): boolean {
  return (behaviors.includes('REQUIRED') || required) && !behaviors.includes('OUTPUT_ONLY');
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

/** Where a member is present, the others must not be. */
function oneofRules(
  oneofs: readonly OneofDescriptor[],
  options: OpenApiOptions,
  without: readonly FieldDescriptor[],
): JsonObject | undefined {
  const rules: Record<string, Json> = {};
  for (const { fields } of oneofs) {
    const members = fields.filter((field) => !without.includes(field));
    if (members.length < 2 || members.length > MAX_ONEOF_RULES) continue;
    for (const member of members) {
      const others = members.filter((other) => other !== member).map((other) => [printedName(other, options), false]);
      rules[printedName(member, options)] = { properties: Object.fromEntries(others) as JsonObject };
    }
  }
  return Object.keys(rules).length === 0 ? undefined : rules;
}

function oneofText({ oneofs }: MessageDescriptor, options: OpenApiOptions): string {
  return oneofs
    .filter(({ fields }) => fields.length > 1)
    .map(({ comment, fields }) => {
      const names = fields.map((field) => `\`${printedName(field, options)}\``).join(', ');
      return `At most one of ${names} is set.${comment === '' ? '' : ` ${comment}`}`;
    })
    .join('\n\n');
}

function enumText({ values }: EnumDescriptor): string {
  const commented = values.filter(({ comment }) => comment !== '');
  return commented.map(({ name, comment }) => `- \`${name}\`: ${comment.replace(/\s+/g, ' ')}`).join('\n');
}

/** Paragraphs joined, empty ones left out; undefined where nothing is left. */
export function text(...paragraphs: readonly string[]): string | undefined {
  const joined = paragraphs.filter((paragraph) => paragraph !== '').join('\n\n');
  return joined === '' ? undefined : joined;
}
