/** Query, header and cookie parameters of a binding, one for each field that a client may set there. */
import type { Binding, FieldPath } from '../rule/index.js';
import type { FieldDescriptor, MessageDescriptor } from '../schema/types.js';
import { compact, type JsonObject, type OpenApiOptions } from './options.js';
import { sampleText } from './sample.js';
import { isRequired, printedName, type SchemaBuilder, text } from './schemas.js';

/** Messages inside messages that a query is documented with; deeper names work, but nobody types them. */
const MAX_DEPTH = 4;
/** Of one operation. */
const MAX_PARAMETERS = 200;

/** Types whose text form in a query is JSON. */
const jsonTypes = new Set(['google.protobuf.Struct', 'google.protobuf.Value', 'google.protobuf.ListValue']);

export function queryParameters(binding: Binding, schemas: SchemaBuilder, options: OpenApiOptions): JsonObject[] {
  const { body, method, variables } = binding;
  if (body.kind === 'all') return [];
  const taken = [
    ...variables.map(({ fieldPath }) => fieldPath),
    ...binding.options.headers.map(({ path }) => path),
    ...(body.kind === 'field' ? [body.path] : []),
  ];
  return new QueryWalk(taken, schemas, options).walk(method.input).slice(0, MAX_PARAMETERS);
}

class QueryWalk {
  constructor(
    private readonly taken: readonly FieldPath[],
    private readonly schemas: SchemaBuilder,
    private readonly options: OpenApiOptions,
  ) {}

  walk(message: MessageDescriptor, path: readonly FieldDescriptor[] = []): JsonObject[] {
    return message.fields.flatMap((field) => {
      const here = [...path, field];
      if (field.behaviors.includes('OUTPUT_ONLY') || this.isTaken(here)) return [];
      if (field.map !== undefined) return this.mapParameter(field, here);
      if (sampleText(field) !== undefined || jsonTypes.has(field.message?.fullName ?? ''))
        return [this.parameter(here)];
      const isCycle = path.some(({ message: outer }) => outer === field.message) || field.message === message;
      if (field.repeated || field.message === undefined || isCycle || here.length >= MAX_DEPTH) return [];
      return this.walk(field.message, here);
    });
  }

  /** The path, the body or a header gives it, or a part of it that would clash. */
  private isTaken(path: FieldPath): boolean {
    return this.taken.some(
      (other) => other.length === path.length && other.every((field, index) => field === path[index]),
    );
  }

  private parameter(path: FieldPath): JsonObject {
    const field = path[path.length - 1]!;
    const schema = this.schemas.field(field, this.options);
    const asJson = jsonTypes.has(field.message?.fullName ?? '');
    return compact({
      name: this.nameOf(path),
      in: 'query',
      description: text(field.comment),
      required: (path.length === 1 && isRequired(field)) || undefined,
      deprecated: field.deprecated || undefined,
      ...(asJson ? { content: { 'application/json': { schema } } } : { schema }),
    });
  }

  /** `labels[env]=prod`; maps of messages have no form that OpenAPI could tell. */
  private mapParameter(field: FieldDescriptor, path: FieldPath): JsonObject[] {
    if (field.map!.value.message !== undefined && sampleText(field.map!.value) === undefined) return [];
    return [
      compact({
        name: this.nameOf(path),
        in: 'query',
        description: text(field.comment),
        style: 'deepObject',
        explode: true,
        schema: this.schemas.field(field, this.options),
      }),
    ];
  }

  private nameOf(path: FieldPath): string {
    return path.map((field) => printedName(field, this.options)).join('.');
  }
}

/** Headers and cookies that set fields. */
export function headerParameters(binding: Binding, schemas: SchemaBuilder, options: OpenApiOptions): JsonObject[] {
  return binding.options.headers.map(({ source, name, path }) => {
    const field = path[path.length - 1]!;
    return compact({
      name,
      in: source,
      description: text(field.comment),
      required: (path.length === 1 && isRequired(field)) || undefined,
      schema: schemas.field(field, options),
    });
  });
}
