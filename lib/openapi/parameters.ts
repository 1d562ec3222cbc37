/** Query, header and cookie parameters of a binding, one for each field that a client may set there. */
import { hasTextForm, type Binding, type FieldPath } from '../rule/index.js';
import type { FieldDescriptor, MessageDescriptor } from '../schema/types.js';
import { freeFields, type Given, givenOutsideQuery } from './given.js';
import { compact, type JsonObject, type OpenApiOptions, type PrintOptions } from './options.js';
import { isJsonText, printedName } from './print.js';
import { isNeeded } from './required.js';
import { type SchemaBuilder, text } from './schemas.js';

/** Deepest names that are documented; deeper ones work, but are rarely typed. */
const MAX_DEPTH = 4;
/** The most query parameters of one operation. */
const MAX_PARAMETERS = 200;

/** A field that a query may give. */
export interface QueryField {
  readonly path: FieldPath;
  /** The last field of the path. */
  readonly field: FieldDescriptor;
  /** True if the field and each message around it are required, or if the path sets a part of that message. */
  readonly required: boolean;
}

/** The fields that a query may set, in the order of declaration; none if the body is `*`. */
export function queryFields(binding: Binding, options: PrintOptions): readonly QueryField[] {
  if (binding.body.kind === 'all') return [];
  return walk(binding.method.input, { given: givenOutsideQuery(binding), path: [], isPresent: true, options }).slice(
    0,
    MAX_PARAMETERS,
  );
}

interface Around {
  readonly given: readonly Given[];
  readonly path: FieldPath;
  readonly isPresent: boolean;
  readonly options: PrintOptions;
}

function walk(message: MessageDescriptor, { given, path, isPresent, options }: Around): readonly QueryField[] {
  return freeFields(message, given).flatMap(({ field, given: below }) => {
    if (field.behaviors.includes('OUTPUT_ONLY')) return [];
    const here = [...path, field];
    const required = isPresent && (isNeeded(field, options) || below.length > 0);
    if (hasQueryForm(field)) return [{ path: here, field, required }];
    const isCycle = path.some(({ message: outer }) => outer === field.message) || field.message === message;
    if (field.repeated || field.message === undefined || isCycle || here.length >= MAX_DEPTH) return [];
    return walk(field.message, { given: below, path: here, isPresent: required, options });
  });
}

/** False for maps and lists of messages, which OpenAPI cannot express in a query. */
function hasQueryForm(field: FieldDescriptor): boolean {
  return field.map === undefined ? hasTextForm(field) || isJsonText(field) : hasTextForm(field.map.value);
}

/** `filter.display_name`, in the spelling of answers. */
export function queryName(path: FieldPath, options: PrintOptions): string {
  return path.map((field) => printedName(field, options)).join('.');
}

/** The query parameters of an operation. */
export function queryParameters(binding: Binding, schemas: SchemaBuilder, options: OpenApiOptions): JsonObject[] {
  return queryFields(binding, options).map(({ path, field, required }) =>
    compact({
      name: queryName(path, options),
      in: 'query',
      description: text(commentOf(field, options), schemas.words(field, options)),
      required: required || undefined,
      deprecated: field.deprecated || undefined,
      ...valueOf(field, schemas, options),
    }),
  );
}

/** What an option of the schema says of a field, or else its comment. */
export function commentOf(field: FieldDescriptor, { notes }: OpenApiOptions): string {
  const said = notes?.field(field).schema['description'];
  return typeof said === 'string' ? said : field.comment;
}

/** The form of a value: `labels[env]=prod` for maps, repetition for lists, JSON text for types without another form. */
function valueOf(field: FieldDescriptor, schemas: SchemaBuilder, options: OpenApiOptions): JsonObject {
  const schema = schemas.parameter(field, options);
  if (field.map !== undefined) return { style: 'deepObject', explode: true, schema };
  if (!isJsonText(field)) return { schema };
  // Each element is a JSON text of its own.
  return field.repeated
    ? { schema: { type: 'array', items: { type: 'string', contentMediaType: 'application/json' } } }
    : { content: { 'application/json': { schema } } };
}

/**
 * Headers and cookies that set fields. A list needs one line for each element: the commas that OpenAPI clients put between
 * elements would become a part of the value.
 */
export function headerParameters(binding: Binding, schemas: SchemaBuilder, options: OpenApiOptions): JsonObject[] {
  return binding.options.headers.map(({ source, name, path }) => {
    const field = path[path.length - 1]!;
    return compact({
      name,
      in: source,
      description: text(
        field.comment,
        field.repeated ? 'May be given several times.' : '',
        schemas.words(field, options),
      ),
      required: path.every((step) => isNeeded(step, options)) || undefined,
      schema: schemas.parameterItem(field, options),
    });
  });
}
