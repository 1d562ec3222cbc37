/**
 * The declarations of one file before names are resolved. Both `.proto` text (`parser`) and descriptor sets
 * (`descriptor-set`) become such trees. `symbols` resolves the names, and `descriptors` builds what the rest of the proxy
 * uses.
 */
import type { SourcePlace } from '../../status.js';
import type { OptionValue } from '../types.js';

/** A shared empty list: most lists of most declarations are empty. */
export const EMPTY: readonly never[] = Object.freeze([]);

/** Place and comment of a declaration, computed on demand. */
export interface Origin {
  readonly place: SourcePlace;
  /** The leading comment; without one the trailing comment. */
  readonly comment: string;
}

/** `(google.api.http).get` has two parts; the first is an extension's name as written. */
export interface OptionPart {
  readonly text: string;
  readonly extension: boolean;
}

/** One `name = value` as written; a list is one node for each element. */
export interface OptionNode {
  readonly path: readonly OptionPart[];
  readonly value: OptionValue;
  readonly place: SourcePlace;
}

/** What all declarations have in common. */
export interface Declaration {
  readonly name: string;
  readonly origin: Origin;
  readonly options: readonly OptionNode[];
  /** The options message of a descriptor set, still encoded. Custom options are decoded once all files are known. */
  readonly encodedOptions?: Buffer;
}

/** A oneof of a message. */
export interface OneofNode extends Declaration {
  /** True for the oneof that protoc creates for a proto3 `optional` field. */
  readonly synthetic: boolean;
}

/** A field, or an extension. */
export interface FieldNode extends Declaration {
  readonly label: 'optional' | 'required' | 'repeated' | undefined;
  /** Name of a scalar type, or of a message or enum as written; absolute if it begins with a dot. */
  readonly type: string;
  readonly number: number;
  readonly oneof: OneofNode | undefined;
  readonly map: { readonly key: FieldNode; readonly value: FieldNode } | undefined;
  readonly group: boolean;
  /** Only of descriptor sets; in text it is an option. */
  readonly jsonName?: string;
}

/** A range of numbers, both ends inclusive. */
export interface NumberRange {
  readonly from: number;
  readonly to: number;
}

/** A message and the declarations in it. */
export interface MessageNode extends Declaration {
  readonly fields: readonly FieldNode[];
  readonly oneofs: readonly OneofNode[];
  readonly messages: readonly MessageNode[];
  readonly enums: readonly EnumNode[];
  readonly extends: readonly ExtendNode[];
  readonly extensionRanges: readonly NumberRange[];
  readonly reservedRanges: readonly NumberRange[];
  readonly reservedNames: readonly string[];
  /** Fields that were taken away, because callers may not see them. */
  readonly hidden?: readonly FieldNode[];
}

/** A node that is being built. */
export type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] };

/** A message without declarations. */
export function newMessage(name: string, origin: Origin, options: OptionNode[]): Mutable<MessageNode> {
  return {
    ...{ name, origin, options, fields: [], oneofs: [], messages: [], enums: [], extends: [] },
    ...{ extensionRanges: [], reservedRanges: [], reservedNames: [] },
  };
}

/** An enum and its values. */
export interface EnumNode extends Declaration {
  readonly values: readonly EnumValueNode[];
  /** Values that were taken away, because callers may not see them. */
  readonly hidden?: readonly EnumValueNode[];
  readonly reservedRanges: readonly NumberRange[];
  readonly reservedNames: readonly string[];
}

/** A value of an enum. */
export interface EnumValueNode extends Declaration {
  readonly number: number;
}

/** The extensions of one `extend` block. */
export interface ExtendNode {
  /** The extended message, as written. */
  readonly extendee: string;
  readonly fields: readonly FieldNode[];
}

/** An RPC. */
export interface MethodNode extends Declaration {
  readonly input: string;
  readonly output: string;
  readonly clientStreaming: boolean;
  readonly serverStreaming: boolean;
}

/** A service and its RPCs. */
export interface ServiceNode extends Declaration {
  readonly methods: readonly MethodNode[];
}

/** An import of a file. */
export interface ImportNode {
  readonly name: string;
  /** Files that import this one see its declarations too. */
  readonly public: boolean;
  /** A missing file is no error. */
  readonly weak: boolean;
  /** Only for custom options (from edition 2024 on). */
  readonly option: boolean;
  readonly place: SourcePlace;
}

/** A whole file. */
export interface FileNode {
  /** The name by which it is imported. */
  readonly name: string;
  /** The name in messages. */
  readonly place: SourcePlace;
  /** `proto2`, `proto3` or an edition: `2023`. */
  readonly syntax: string;
  readonly package: string;
  readonly imports: readonly ImportNode[];
  readonly options: readonly OptionNode[];
  readonly messages: readonly MessageNode[];
  readonly enums: readonly EnumNode[];
  readonly extends: readonly ExtendNode[];
  readonly services: readonly ServiceNode[];
  /** Parts of it could not be read (reported), so further declarations may exist. */
  readonly incomplete: boolean;
}
