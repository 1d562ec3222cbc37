/**
 * Rules → bindings: a rule, resolved against the messages of its RPC and checked. A binding has everything that higher layers
 * need to serve or document a route; they never read annotations.
 */
import type { MethodDescriptor, ServiceDescriptor } from '../schema/types.js';
import type { ProblemList, SourcePlace } from '../status.js';
import { quote } from '../uri.js';
import {
  describeField,
  fieldPathText,
  hasTextForm,
  resolveFieldPath,
  sharedOneof,
  startsWith,
  type FieldPathProblem,
  type FieldPath,
} from './field-path.js';
import { readHttpRules, type HttpRule } from './http-rule.js';
import { readMethodOptions, type MethodOptions } from './method-options.js';
import { methodRulesFor, type MethodRule } from './method-rules.js';
import { RpcProblems, type Located } from './option-reader.js';
import type { RuleOrigin } from './origin.js';
import type { RuleSet } from './rule-files.js';
import { parseTemplate, type PathTemplate } from './template.js';

/** A variable of the template and the field that it sets. */
export interface BoundVariable {
  readonly fieldPath: FieldPath;
  /** True for several segments: `%2F` in the value stays encoded. */
  readonly multi: boolean;
}

/** The part of the request message that the body sets. */
export type BodyBinding =
  | { readonly kind: 'none' }
  /** `body: "*"`. */
  | { readonly kind: 'all' }
  | { readonly kind: 'field'; readonly path: FieldPath };

/** A route: an HTTP method and a template that lead to an RPC. */
export interface Binding {
  readonly method: MethodDescriptor;
  /** Exact, or `*` for every method except OPTIONS. */
  readonly httpMethod: string;
  readonly template: PathTemplate;
  /** In the order of the template, which is also that of a match's captures. */
  readonly variables: readonly BoundVariable[];
  readonly body: BodyBinding;
  /** The field that becomes the response body; undefined: the whole message. */
  readonly responseBody: FieldPath | undefined;
  /** The same object for all bindings of an RPC. */
  readonly options: MethodOptions;
  /** What a QUERY at the same path takes; undefined: there is none, or the method is none of GET, HEAD and QUERY. */
  readonly query?: Pick<Binding, 'method' | 'body'>;
  /** 0 for the rule itself, n for its nth additional binding. */
  readonly index: number;
  /** Place of the pattern, for messages. */
  readonly place: SourcePlace;
  /** Decides which of two duplicates counts. */
  readonly origin: RuleOrigin;
}

/** Where bindings come from besides annotations. */
export interface BindingOptions {
  /**
   * Whether methods without a rule are served at `POST /package.Service/Method` with body `*`. Default false. (Envoy
   * `auto_mapping`.)
   */
  readonly autoMapping?: boolean;
  /** Rules that replace annotations. Default: none. */
  readonly rules?: Pick<RuleSet, 'forRpc'> | undefined;
  /** Method options by selector, from `mergeMethodRules`. Default: none. */
  readonly methods?: readonly MethodRule[] | undefined;
}

/**
 * The bindings of services, in the order of services, methods and rules. Invalid rules are reported and left out. A method
 * without a rule causes a warning, because no request can reach it.
 */
export function bindingsOf(
  services: readonly ServiceDescriptor[],
  problems: ProblemList,
  options: BindingOptions = {},
): Binding[] {
  /** Number of rules so far, by file. */
  const counts = new Map<string, number>();
  return services.flatMap((service) =>
    service.methods.flatMap((method) => {
      const reporter = new RpcProblems(method.fullName, problems);
      const configured = methodRulesFor(options.methods ?? [], method.fullName);
      const methodOptions = readMethodOptions(method, reporter, configured);
      return rulesOf(method, options, reporter).flatMap((rule) => {
        const declaration = counts.get(service.file.name) ?? 0;
        counts.set(service.file.name, declaration + 1);
        const origin = { rpc: method.fullName, place: rule.place, fileOrder: service.file.order, declaration };
        return bindRule(method, rule, methodOptions, origin, reporter) ?? [];
      });
    }),
  );
}

function rulesOf(
  method: MethodDescriptor,
  { autoMapping, rules }: BindingOptions,
  problems: RpcProblems,
): readonly HttpRule[] {
  const configured = rules?.forRpc(method.fullName);
  if (configured !== undefined) return configured;
  const option = method.option('google.api.http');
  if (option !== undefined) return readHttpRules(option, problems);
  if (autoMapping === true) return [autoRule(method)];
  problems.warn({
    code: 'unannotated-method',
    message: `${method.fullName} has no google.api.http option, so no HTTP request reaches it`,
    place: method.place,
    hint: 'add one: option (google.api.http) = { get: "/v1/…" }; or serve such methods by auto_mapping',
  });
  return [];
}

function autoRule(method: MethodDescriptor): HttpRule {
  const { place } = method;
  const template = parseTemplate(method.path);
  return { httpMethod: 'POST', template, place, body: { value: '*', place }, responseBody: undefined, index: 0 };
}

/** Undefined if a problem was reported. */
function bindRule(
  method: MethodDescriptor,
  rule: HttpRule,
  options: MethodOptions,
  origin: RuleOrigin,
  problems: RpcProblems,
): Binding | undefined {
  const binder = new RuleBinder(method, rule, options, problems);
  const variables = binder.bindVariables();
  const body = binder.bindBody();
  const responseBody = binder.bindResponseBody();
  binder.checkConflicts(variables, body);
  if (binder.failed) return undefined;
  const { httpMethod, template, index, place } = rule;
  return { method, httpMethod, template, variables, body, responseBody, options, index, place, origin };
}

/** Resolves the parts of one rule, and records whether one was invalid. */
class RuleBinder {
  failed = false;

  constructor(
    private readonly method: MethodDescriptor,
    private readonly rule: HttpRule,
    private readonly options: MethodOptions,
    private readonly problems: RpcProblems,
  ) {}

  bindVariables(): BoundVariable[] {
    return this.rule.template.variables.flatMap(({ fieldPath: text, multi, offset }) => {
      const report = (fault: FieldPathProblem): void => this.fail(fault, this.rule.place, offset);
      const fieldPath = resolveFieldPath(this.method.input, text, report);
      if (fieldPath === undefined) return [];
      const field = fieldPath.at(-1)!;
      if (field.repeated || !hasTextForm(field)) {
        report({
          code: 'path-field-type',
          message: `the variable {${text}} binds ${describeField(field)}, which cannot be written in a path`,
          hint: 'bind a scalar, an enum or a well-known type with a string form, such as google.protobuf.Timestamp',
        });
        return [];
      }
      return [{ fieldPath, multi }];
    });
  }

  bindBody(): BodyBinding {
    const { body } = this.rule;
    if (body === undefined) return { kind: 'none' };
    if (body.value === '*') return { kind: 'all' };
    const path = this.resolve('body', this.method.input, body);
    return path === undefined ? { kind: 'none' } : { kind: 'field', path };
  }

  bindResponseBody(): FieldPath | undefined {
    const { responseBody } = this.rule;
    if (responseBody?.value !== '*')
      return responseBody && this.resolve('response_body', this.method.output, responseBody);
    this.fail(
      {
        code: 'response-body-star',
        message: 'response_body is "*", expected a field of the response',
        hint: 'leave response_body out: then the body is the whole response',
      },
      responseBody.place,
    );
    return undefined;
  }

  /** Reports fields that are set twice or that cannot be set together. */
  checkConflicts(variables: readonly BoundVariable[], body: BodyBinding): void {
    const { variables: written } = this.rule.template;
    // If some did not resolve, the indexes of the others differ from those of the template.
    if (variables.length !== written.length) return;
    variables.forEach(({ fieldPath }, index) => {
      const { fieldPath: text, offset } = written[index]!;
      const name = `the variable {${text}}`;
      for (let other = 0; other < index; other++) {
        const otherName = `the variable {${written[other]!.fieldPath}}`;
        this.checkPair(name, fieldPath, otherName, variables[other]!.fieldPath, offset);
      }
      for (const header of this.options.headers) {
        this.checkPair(name, fieldPath, `the ${header.source} ${quote(header.name)}`, header.path, offset);
      }
      if (body.kind === 'field') this.checkBody(name, fieldPath, body.path, offset);
    });
    if (body.kind === 'field') {
      for (const header of this.options.headers)
        this.checkBody(`the ${header.source} ${quote(header.name)}`, header.path, body.path);
    }
  }

  private checkPair(name: string, path: FieldPath, otherName: string, otherPath: FieldPath, offset: number): void {
    const oneof = sharedOneof(path, otherPath);
    if (oneof !== undefined) {
      this.failOneof(name, otherName, oneof, offset);
    } else if (startsWith(path, otherPath) || startsWith(otherPath, path)) {
      this.fail(
        {
          code: 'field-bound-twice',
          message: `${name} binds ${quote(fieldPathText(path))}, and ${otherName} binds ${quote(fieldPathText(otherPath))}: each field is bound once`,
          hint: 'bind another field, or use * without a name for the second',
        },
        this.rule.place,
        offset,
      );
    }
  }

  /** A variable may set a part of the body field, but not the field itself or a message that contains it. */
  private checkBody(name: string, path: FieldPath, body: FieldPath, offset?: number): void {
    const oneof = sharedOneof(path, body);
    if (oneof !== undefined) {
      this.failOneof(name, `the body ${quote(fieldPathText(body))}`, oneof, offset);
    } else if (startsWith(body, path)) {
      this.fail(
        {
          code: 'body-field-bound',
          message: `${name} binds ${quote(fieldPathText(path))}, which the body ${quote(fieldPathText(body))} sets as well`,
          hint: 'name another body field, or write body: "*" for all fields that the path does not bind',
        },
        this.rule.place,
        offset,
      );
    }
  }

  private failOneof(name: string, otherName: string, oneof: string, offset: number | undefined): void {
    this.fail(
      {
        code: 'oneof-bound-twice',
        message: `${name} and ${otherName} set two members of the oneof ${quote(oneof)}, of which only one can be set`,
        hint: 'bind one of them here, and the other in an additional binding',
      },
      this.rule.place,
      offset,
    );
  }

  private resolve(member: string, root: MethodDescriptor['input'], text: Located<string>): FieldPath | undefined {
    return resolveFieldPath(root, text.value, (fault) =>
      this.fail({ ...fault, message: `${member}: ${fault.message}` }, text.place),
    );
  }

  private fail(fault: FieldPathProblem, place: SourcePlace, templateOffset?: number): void {
    this.failed = true;
    const template = this.rule.template.source;
    this.problems.error({ ...fault, place, template, ...(templateOffset !== undefined && { templateOffset }) });
  }
}
