/**
 * Random values for fields that protobufjs describes, each twice: as ProtoJSON, and as the plain object that protobufjs
 * makes a message of.
 */
import protobuf from 'protobufjs';
import type { Random } from '../support/random.js';

export interface Sample {
  readonly json: unknown;
  readonly plain: unknown;
}

/** Nested deeper, messages are left out. */
const MAX_DEPTH = 3;

const CHARACTERS = [
  'a',
  'z',
  '0',
  '9',
  'é',
  '日',
  '😀',
  ' ',
  '%',
  '&',
  '=',
  '+',
  '/',
  '?',
  '#',
  ':',
  '"',
  '\\',
  '~',
  '.',
];

export class MessageSamples {
  constructor(private readonly random: Random) {}

  /** A segment that no literal of a template is. */
  word(): string {
    return `x${this.random.next().toString(36)}`;
  }

  /** What a variable stands for: as it is in the path, and as the field's value. */
  pathValue(input: protobuf.Type, name: string, inner: string): { raw: string; value: unknown } {
    if (inner !== '*') {
      const text = inner.replace(/\*\*?/g, (star) => (star === '**' ? `${this.word()}/${this.word()}` : this.word()));
      return { raw: text, value: text };
    }
    const field = this.fieldAt(input, name);
    const { text, plain } = this.text(field)!;
    // An empty segment matches nothing, and ".." is another path to many clients.
    const usable = field.type === 'string' ? `${this.word()}${text}` : text;
    const value = field.type === 'string' ? usable : plain;
    return { raw: encodeURIComponent(usable), value };
  }

  private fieldAt(type: protobuf.Type, name: string): protobuf.Field {
    const [first, ...rest] = name.split('.') as [string, ...string[]];
    const field = type.fields[first]!.resolve();
    return rest.length === 0 ? field : this.fieldAt(field.resolvedType as protobuf.Type, rest.join('.'));
  }

  /** Up to four query parameters; what they set is added to `set`. */
  query(type: protobuf.Type, taken: ReadonlySet<string>, set: [string[], unknown][]): string[] {
    const pairs: string[] = [];
    const groups = new Set([...taken].map((name) => type.fields[name]?.partOf?.name));
    for (const raw of type.fieldsArray) {
      const field = raw.resolve();
      // A mask that is left out may be filled from the body.
      const isMask = field.resolvedType?.fullName === '.google.protobuf.FieldMask';
      if (!isMask && (pairs.length >= 4 || this.random.one(3))) continue;
      if (taken.has(field.name) || this.inTakenOneof(field, groups)) continue;
      const sample = field.map || unsupported(field) ? undefined : this.text(field);
      if (sample === undefined) continue;
      const name = this.random.one(2) ? field.name : jsonName(field);
      pairs.push(`${encodeURIComponent(name)}=${encodeURIComponent(sample.text)}`);
      set.push([[field.name], field.repeated ? [sample.plain] : sample.plain]);
    }
    return pairs;
  }

  /** A message of random fields, but those that are taken. */
  message(type: protobuf.Type, depth: number, taken: ReadonlySet<string> = new Set()): Sample {
    const json: Record<string, unknown> = {};
    const plain: Record<string, unknown> = {};
    const groups = new Set([...taken].map((name) => type.fields[name]?.partOf?.name));
    for (const raw of type.fieldsArray) {
      const field = raw.resolve();
      if (taken.has(field.name) || unsupported(field) || this.random.one(2) || this.inTakenOneof(field, groups))
        continue;
      const isMessage = field.resolvedType instanceof protobuf.Type;
      if (isMessage && depth >= MAX_DEPTH) continue;
      const sample = this.field(field, depth + 1);
      if (sample.plain === undefined) continue;
      json[this.random.one(2) ? field.name : jsonName(field)] = sample.json;
      plain[field.name] = sample.plain;
    }
    return { json, plain };
  }

  /** One member of each oneof. */
  private inTakenOneof(field: protobuf.Field, groups: Set<string | undefined>): boolean {
    const group = field.partOf?.name;
    if (group === undefined) return false;
    if (groups.has(group)) return true;
    groups.add(group);
    return false;
  }

  field(field: protobuf.Field, depth: number): Sample {
    if (field instanceof protobuf.MapField) {
      const value = this.single(field, depth);
      const key = field.keyType === 'string' ? this.word() : field.keyType === 'bool' ? 'true' : '7';
      return { json: { [key]: value.json }, plain: { [key]: value.plain } };
    }
    if (!field.repeated) return this.single(field, depth);
    const items = Array.from({ length: 1 + this.random.below(2) }, () => this.single(field, depth));
    return { json: items.map(({ json }) => json), plain: items.map(({ plain }) => plain) };
  }

  private single(field: protobuf.Field, depth: number): Sample {
    const type = field.resolvedType;
    if (type instanceof protobuf.Type) return this.ofType(type, depth, new Set());
    const { text, plain } = this.text(field)!;
    const asNumber =
      type instanceof protobuf.Enum
        ? /^-?\d+$/.test(text)
        : /^(double|float|[su]?int32|s?fixed32)$/.test(field.type) && Number.isFinite(Number(text));
    return { json: field.type === 'bool' ? text === 'true' : asNumber ? Number(text) : text, plain };
  }

  ofType(type: protobuf.Type, depth: number, taken: ReadonlySet<string>): Sample {
    const known = this.wellKnown(type.fullName.slice(1));
    if (known !== undefined) return { json: known.json ?? known.text, plain: known.plain };
    return this.message(type, depth, taken);
  }

  /** A value as it stands in a path or query. */
  private text(field: protobuf.Field): { text: string; plain: unknown } | undefined {
    const { random } = this;
    const type = field.resolvedType;
    if (type instanceof protobuf.Enum) {
      const [name, number] = random.pick(Object.entries(type.values));
      // Of the aliases of a number any is as good.
      return random.one(3) ? { text: String(number), plain: number } : { text: name, plain: number };
    }
    if (type instanceof protobuf.Type) return this.wellKnown(type.fullName.slice(1));
    switch (field.type) {
      case 'bool': {
        const value = random.one(2);
        return { text: String(value), plain: value };
      }
      case 'string': {
        const text = Array.from({ length: random.below(6) }, () => random.pick(CHARACTERS)).join('');
        return { text, plain: text };
      }
      case 'bytes': {
        const base64 = Buffer.from(this.word()).toString('base64');
        return { text: base64, plain: base64 };
      }
      case 'double':
      case 'float': {
        const value = (random.below(4000) - 2000) / 8;
        return { text: String(value), plain: value };
      }
      case 'int64':
      case 'sint64':
      case 'sfixed64': {
        const text = random.pick(['-9223372036854775808', '9223372036854775807', '9007199254740993', '12']);
        return { text, plain: text };
      }
      case 'uint64':
      case 'fixed64': {
        const text = random.pick(['18446744073709551615', '9007199254740993', '12']);
        return { text, plain: text };
      }
      case 'uint32':
      case 'fixed32': {
        const value = random.next();
        return { text: String(value), plain: value };
      }
      default: {
        const value = random.next() | 0;
        return { text: String(value), plain: value };
      }
    }
  }

  private wellKnown(name: string): { text: string; plain: unknown; json?: unknown } | undefined {
    const { random } = this;
    switch (name) {
      case 'google.protobuf.Timestamp': {
        const seconds = random.below(2_000_000_000);
        const text = `${new Date(seconds * 1000).toISOString().slice(0, 19)}.000000007Z`;
        return { text, plain: { seconds: String(seconds), nanos: 7 } };
      }
      case 'google.protobuf.Duration': {
        const seconds = random.below(100_000);
        return { text: `-${seconds}.5s`, plain: { seconds: String(-seconds), nanos: -500_000_000 } };
      }
      case 'google.protobuf.FieldMask':
        return { text: 'fooBar,baz.quxQuux', plain: { paths: ['foo_bar', 'baz.qux_quux'] } };
      case 'google.protobuf.StringValue':
        return { text: 'né', plain: { value: 'né' } };
      case 'google.protobuf.BytesValue':
        return { text: 'aGk=', plain: { value: 'aGk=' } };
      case 'google.protobuf.BoolValue':
        return { text: 'true', json: true, plain: { value: true } };
      case 'google.protobuf.Int32Value':
      case 'google.protobuf.UInt32Value':
      case 'google.protobuf.FloatValue':
      case 'google.protobuf.DoubleValue':
        return { text: '42', json: 42, plain: { value: 42 } };
      case 'google.protobuf.Int64Value':
      case 'google.protobuf.UInt64Value':
        return { text: '9007199254740993', plain: { value: '9007199254740993' } };
      default:
        return undefined;
    }
  }
}

/** Types whose JSON is free of form are checked by the conformance suite; raw bodies are no JSON at all. */
function unsupported(field: protobuf.Field): boolean {
  const type = field.resolvedType;
  if (!(type instanceof protobuf.Type)) return false;
  return (
    (type as { group?: boolean }).group === true ||
    [
      'google.protobuf.Struct',
      'google.protobuf.Value',
      'google.protobuf.ListValue',
      'google.protobuf.Any',
      'google.api.HttpBody',
    ]
      .map((name) => `.${name}`)
      .includes(type.fullName)
  );
}

function jsonName(field: protobuf.Field): string {
  const given = (field.options as { json_name?: string } | undefined)?.json_name;
  return given ?? field.name.replace(/_+(.?)/g, (_, next: string) => next.toUpperCase());
}
