/**
 * Path templates → OpenAPI paths. OpenAPI only has parameters of one segment, so a variable of several segments is split:
 * `/v1/{name=shelves/*}` is `/v1/shelves/{shelf}`. A `**` is one parameter, whose description says that it may hold slashes.
 */
import type { Binding, FieldPath } from '../rule/index.js';

/** One `{parameter}` of a path. */
export interface PathParameter {
  readonly name: string;
  /** The field that it sets, completely or in part; undefined for a wildcard outside of variables. */
  readonly field: FieldPath | undefined;
  /** The whole variable if the parameter is only a part of it: `name=shelves/*`. */
  readonly partOf: string | undefined;
  /** It takes any number of segments. */
  readonly multi: boolean;
}

/** A path with its parameters. */
export interface OpenApiPath {
  readonly path: string;
  /** The path without parameter names. OpenAPI allows one path for each shape. */
  readonly shape: string;
  readonly parameters: readonly PathParameter[];
}

/** The OpenAPI path of a binding. */
export function openApiPath({ template, variables }: Binding): OpenApiPath {
  const parameters: PathParameter[] = [];
  const taken = new Set<string>();
  const segments = template.segments.map((segment, index) => {
    if (segment.kind === 'literal') return segment.text;
    const at = template.variables.findIndex(({ first, last }) => index >= first && index <= last);
    const variable = template.variables[at];
    const field = variables[at]?.fieldPath;
    const isWhole =
      variable !== undefined && hasOneWildcard(template.segments.slice(variable.first, variable.last + 1));
    const literal = template.segments[index - 1];
    const wish =
      isWhole && variable.first === variable.last
        ? lastName(variable.fieldPath)
        : literal?.kind === 'literal'
          ? singular(literal.text)
          : lastName(variable?.fieldPath ?? 'segment');
    const name = unique(wish, taken);
    parameters.push({
      name,
      field,
      partOf: variable === undefined || variable.first === variable.last ? undefined : variableText(template, variable),
      multi: segment.kind === '**' || isSlashKey(template, variable),
    });
    return `{${name}}`;
  });
  const verb = template.verb === undefined ? '' : `:${template.verb.text}`;
  const path = `/${joinDeep(segments, parameters).join('/')}${verb}`;
  const kept = parameters.filter(({ name }) => path.includes(`{${name}}`));
  return { path, shape: path.replace(/\{[^}]*\}/g, '{}'), parameters: kept };
}

/** True if a path parameter may hold slashes, which OpenAPI cannot express and generated clients escape. */
export function takesSlashes(binding: Binding): boolean {
  return openApiPath(binding).parameters.some(({ multi, field }) => multi && field !== undefined);
}

interface Span {
  readonly fieldPath: string;
  readonly first: number;
  readonly last: number;
}

type Template = Binding['template'];

/** True for `{key=*\/**}`: one value of at least one segment. */
function isSlashKey({ segments }: Template, variable: Span | undefined): boolean {
  if (variable === undefined || variable.first === variable.last) return false;
  const span = segments.slice(variable.first, variable.last + 1);
  return span.every(({ kind }) => kind !== 'literal') && span.some(({ kind }) => kind === '**');
}

/** Joins the pieces of a `{key=*\/**}` to one parameter. */
function joinDeep(segments: readonly string[], parameters: PathParameter[]): string[] {
  const joined: string[] = [];
  let previous: PathParameter | undefined;
  for (const segment of segments) {
    const parameter = parameters.find(({ name }) => segment === `{${name}}`);
    const continues =
      parameter?.multi === true &&
      previous?.multi === true &&
      parameter.partOf !== undefined &&
      parameter.partOf === previous.partOf;
    if (!continues) joined.push(segment);
    previous = parameter;
  }
  return joined;
}

function hasOneWildcard(segments: Template['segments']): boolean {
  return segments.filter(({ kind }) => kind !== 'literal').length === 1;
}

function variableText({ segments }: Template, { fieldPath, first, last }: Span): string {
  const inner = segments
    .slice(first, last + 1)
    .map((segment) => (segment.kind === 'literal' ? segment.text : segment.kind));
  return `${fieldPath}=${inner.join('/')}`;
}

function lastName(fieldPath: string): string {
  return fieldPath.slice(fieldPath.lastIndexOf('.') + 1);
}

/** `shelves` → `shelf`, by simple rules instead of a dictionary. */
function singular(plural: string): string {
  const word = plural.replace(/[^A-Za-z0-9_]/g, '_');
  if (/ies$/.test(word)) return word.replace(/ies$/, 'y');
  if (/lves$/.test(word)) return word.replace(/ves$/, 'f');
  if (/(?:ss|sh|ch|x)es$/.test(word)) return word.slice(0, -2);
  return /[^s]s$/.test(word) ? word.slice(0, -1) : `${word}_id`;
}

function unique(wish: string, taken: Set<string>): string {
  let name = wish;
  for (let count = 2; taken.has(name); count++) name = `${wish}${count}`;
  taken.add(name);
  return name;
}
