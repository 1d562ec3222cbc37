import type { ErrorTemplate } from '../commands.js';
import type {
  EnumDescriptor,
  FieldDescriptor,
  FileDescriptor,
  MessageDescriptor,
  MethodDescriptor,
  ServiceDescriptor,
} from '../schema/types.js';

/** The options of a gateway that its documentation depends on. */
export interface OpenApiOptions {
  /** Fields under the names of the `.proto` file. */
  readonly preserveProtoFieldNames: boolean;
  readonly int64AsNumbers: boolean;
  readonly alwaysPrintEnumsAsInts: boolean;
  /** Messages that are not set are printed as null. */
  readonly alwaysPrintAllFields: boolean;
  readonly envelope: 'none' | 'photon';
  readonly errorFormat: 'status' | 'aip193' | 'problem' | 'photon' | 'text';
  /** In the place of `errorFormat`, with its content type. */
  readonly errorTemplate?: ErrorTemplate | undefined;
  readonly errorContentType?: string;
  /** The framing of streams if `Accept` does not choose one. */
  readonly streamFormat: 'array' | 'ndjson' | 'sse' | 'json-seq' | 'grpc-gateway';
  /** The array of a failed stream ends with the error and `]`. */
  readonly closeErrorArray: boolean;
  /** Which escapes are decoded in a variable of several segments. */
  readonly urlUnescape: 'all_characters' | 'all_characters_except_slash' | 'all_characters_except_reserved';
  /** The rules that requests are checked by. Default: none are. */
  readonly constraints?: RuleSource | undefined;
  /** What options of the schema say for documents. Default: nothing. */
  readonly notes?: DocumentNotes | undefined;
}

/** The options that decide how values are printed. */
export type PrintOptions = Pick<
  OpenApiOptions,
  | 'preserveProtoFieldNames'
  | 'int64AsNumbers'
  | 'alwaysPrintEnumsAsInts'
  | 'alwaysPrintAllFields'
  | 'constraints'
  | 'notes'
>;

/** Parts of documents that options of a schema give, in the form of OpenAPI 3.1. Members that are not given are missing. */
export interface DocumentNotes {
  /**
   * `info`, `servers`, `tags`, `externalDocs`, `security`, `securitySchemes`, `responses` of all operations, `components` that
   * other parts refer to, `x-…`.
   */
  document(file: FileDescriptor): JsonObject;
  tag(service: ServiceDescriptor): JsonObject;
  operation(method: MethodDescriptor): OperationNotes;
  /** Of its schema; `required` has names of the `.proto`. */
  message(message: MessageDescriptor): JsonObject;
  field(field: FieldDescriptor): FieldNotes;
  enum(descriptor: EnumDescriptor): JsonObject;
  /** The type that a `$ref` names, with or without its package. */
  typeOf(name: string): MessageDescriptor | EnumDescriptor | undefined;
}

/** What options say of an operation. */
export interface OperationNotes {
  readonly tags?: Json;
  readonly summary?: string;
  readonly description?: string;
  readonly externalDocs?: Json;
  readonly operationId?: string;
  readonly deprecated?: boolean;
  /** Empty: nobody needs anything. */
  readonly security?: readonly JsonObject[];
  readonly servers?: Json;
  /** `description` and `examples` of the body. */
  readonly requestBody?: JsonObject;
  /** Headers and cookies; for parameters that the document has, what else is said of them. */
  readonly parameters: readonly JsonObject[];
  /** By status: `description`, `headers`, `schema`, `example`, `content`, `links`, `$ref`, `x-…`. */
  readonly responses: JsonObject;
  readonly extensions: JsonObject;
}

/** What options say of a field. */
export interface FieldNotes {
  readonly schema: JsonObject;
  /** Of the elements of a list. */
  readonly items: JsonObject;
  readonly isRequired: boolean;
}

/** The rules of a schema, for documents. */
export interface RuleSource {
  /** What rules say of a field, as it is printed. */
  of(field: FieldDescriptor, print: PrintOptions): FieldConstraints;
  /** The fields of which one must be given, for each rule that says so. */
  groups(type: MessageDescriptor): readonly (readonly FieldDescriptor[])[];
}

/** What rules say of a value. */
export interface Constraint {
  readonly schema: JsonObject;
  /** What the schema does not say; '' if it says it all. */
  readonly words: string;
  /** True for JSON that the rules take. Other JSON is not told apart. */
  readonly accepts: (value: Json) => boolean;
  /** Values that the rules give as examples, or as limits; they need not take them. */
  readonly samples: readonly Json[];
}

/** What rules say of a field. */
export interface FieldConstraints {
  /** A message without it breaks a rule. */
  readonly isNeeded: boolean;
  readonly whole: Constraint;
  /** Of the elements of a list, and of the values of a map. */
  readonly items: Constraint;
  readonly keys: Constraint;
}

/** How components are named: `a.v1.Book.Page`, `a_v1_Book_Page`, or `Book_Page` if no other package has one. */
export type ComponentNaming = 'dotted' | 'underscored' | 'short';

/** The routes below one prefix. */
export interface DocumentedPart<B> {
  /** `/chainfire`; '' for the root. */
  readonly prefix: string;
  readonly bindings: readonly B[];
  readonly options: OpenApiOptions;
  /** Who may call; undefined: everybody. */
  readonly access?: RouteAccess | undefined;
  /** The binding that answers a path, so that samples reach the binding that they show. Default: each reaches its own. */
  readonly bindingFor?: ((httpMethod: string, path: string) => B | undefined) | undefined;
}

/** Which RPCs need which credentials. */
export interface RouteAccess {
  /** One of them will do; empty if the RPC needs none. */
  credentialsFor(rpc: string): readonly RouteCredential[];
}

/** What a caller shows of itself. */
export interface RouteCredential {
  readonly kind: 'token' | 'api_key';
  /** Its request header: in `authorization` it follows `Bearer` or `ApiKey`, in any other it stands alone. */
  readonly header: string;
  /** Who makes tokens, as their claim `iss` names them. */
  readonly issuers?: readonly string[] | undefined;
  /** What it must say: names, and the accepted values of each. */
  readonly claims: ReadonlyMap<string, readonly string[]>;
}

/** A version of OpenAPI. */
export type SpecVersion = '3.1' | '3.2';

/** The head of a document. */
export interface DocumentInfo {
  /** Default: what options of the schema say, else the service or the packages. */
  readonly title?: string | undefined;
  /** The version of the API. Default: what options of the schema say, else 1.0. */
  readonly version?: string | undefined;
  readonly description?: string | undefined;
  /** Base URL of the paths. Default: `/`, the server that the document was loaded from. */
  readonly server?: string | undefined;
  /** True: `server` counts, whatever options of the schema say. Default false. */
  readonly isServerGiven?: boolean | undefined;
  /** Default `dotted`. */
  readonly names?: ComponentNaming | undefined;
  /** The version of OpenAPI that the document is written in. Default 3.1. */
  readonly spec?: SpecVersion | undefined;
  /** The URL that the document is served at, for OpenAPI 3.2. Default: the document does not say it. */
  readonly self?: string | undefined;
}

/** A JSON value of the document. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
/** A JSON object of the document. */
export interface JsonObject {
  readonly [name: string]: Json;
}

/** Removes members that are undefined. */
export function compact(members: Readonly<Record<string, Json | undefined>>): JsonObject {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as JsonObject;
}

/** One schema that says what all of these say. */
export function joined(schemas: readonly JsonObject[]): JsonObject {
  const own: Record<string, Json> = {};
  const rest: JsonObject[] = [];
  for (const schema of schemas) {
    if (Object.keys(schema).some((keyword) => Object.hasOwn(own, keyword))) rest.push(schema);
    else Object.assign(own, schema);
  }
  return rest.length === 0 ? own : { ...own, allOf: rest };
}

/** The objects of a list; none if there is no list. */
export function objectsOf(list: Json | undefined): readonly JsonObject[] {
  return Array.isArray(list) ? (list as readonly JsonObject[]) : [];
}
