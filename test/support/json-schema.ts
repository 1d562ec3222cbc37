/** A small JSON Schema validator: the keywords that docs/config.schema.json uses, and a throw for any other. */

type Schema = Readonly<Record<string, unknown>>;

const annotations = new Set(['$schema', 'title', 'description']);

/** Undefined if the schema takes the value; else where and why it does not. */
export function schemaFault(schema: Schema, value: unknown, path = '$'): string | undefined {
  for (const [keyword, argument] of Object.entries(schema)) {
    if (annotations.has(keyword)) continue;
    const check = keywords[keyword];
    if (check === undefined) throw new Error(`keyword ${keyword}`);
    const fault = check(argument as never, value, schema, path);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

type Check = (argument: never, value: unknown, schema: Schema, path: string) => string | undefined;

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return Number.isInteger(value) ? 'integer' : typeof value;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeOf(value) === 'object';
const fails = (isBad: boolean, path: string, why: string): string | undefined =>
  isBad ? `${path}: ${why}` : undefined;

const keywords: Readonly<Record<string, Check>> = {
  type(types: string | readonly string[], value, _schema, path) {
    const found = typeOf(value);
    const isTaken = [types].flat().some((type) => type === found || (type === 'number' && found === 'integer'));
    return fails(!isTaken, path, `${found}, expected ${String(types)}`);
  },
  enum: (values: readonly unknown[], value, _schema, path) => fails(!values.includes(value), path, 'none of the enum'),
  const: (expected: unknown, value, _schema, path) => fails(expected !== value, path, `not ${String(expected)}`),
  minimum: (min: number, value, _schema, path) => fails(typeof value === 'number' && value < min, path, `< ${min}`),
  maximum: (max: number, value, _schema, path) => fails(typeof value === 'number' && value > max, path, `> ${max}`),
  minLength: (min: number, value, _schema, path) =>
    fails(typeof value === 'string' && value.length < min, path, 'short'),
  pattern: (pattern: string, value, _schema, path) =>
    fails(typeof value === 'string' && !new RegExp(pattern, 'u').test(value), path, `not ${pattern}`),
  anyOf(schemas: readonly Schema[], value, _schema, path) {
    const faults = schemas.map((schema) => schemaFault(schema, value, path));
    return fails(!faults.includes(undefined), path, faults.join(' | '));
  },
  items(schema: Schema, value, _schema, path) {
    const list: readonly unknown[] = Array.isArray(value) ? value : [];
    return list
      .map((item, index) => schemaFault(schema, item, `${path}[${index}]`))
      .find((fault) => fault !== undefined);
  },
  uniqueItems: (_on: boolean, value, _schema, path) =>
    fails(Array.isArray(value) && new Set(value).size < value.length, path, 'repeats'),
  required: (names: readonly string[], value, _schema, path) =>
    fails(isObject(value) && names.some((name) => !(name in value)), path, `lacks one of ${names.join(', ')}`),
  properties(properties: Readonly<Record<string, Schema>>, value, _schema, path) {
    const entries = isObject(value) ? Object.entries(value) : [];
    return entries
      .map(([name, inner]) => properties[name] && schemaFault(properties[name], inner, `${path}.${name}`))
      .find((fault) => fault !== undefined);
  },
  additionalProperties(schema: Schema | false, value, { properties = {} }, path) {
    const others = Object.entries(isObject(value) ? value : {}).filter(([name]) => !(name in (properties as object)));
    if (schema === false) return fails(others.length > 0, path, `has ${others.map(([name]) => name).join(', ')}`);
    return others
      .map(([name, inner]) => schemaFault(schema, inner, `${path}.${name}`))
      .find((fault) => fault !== undefined);
  },
};
