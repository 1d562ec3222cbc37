/**
 * What one file declares, before any name is resolved: the common ground of `.proto` text (`parser`) and descriptor
 * sets (`descriptor-set`). `symbols` resolves the names, `descriptors` builds what the rest of the proxy sees.
 */
import type { SourcePlace } from '../status.js';
import type { OptionValue } from './types.js';

/** An empty list, shared: most declarations have no options, and messages seldom have all that they may. */
export const NONE: readonly never[] = Object.freeze([]);

/** Where a declaration stands and what is said about it there; computed when read. */
export interface Origin {
  readonly place: SourcePlace;
  /** Leading comment, else the trailing one. */
  readonly comment: string;
}

/** `(google.api.http).get` is two parts, the first an extension's name as written. */
export interface OptionPart {
  readonly text: string;
  readonly extension: boolean;
}

/** One `name = value` as written; a list value has become one node for each element. */
export interface OptionNode {
  readonly path: readonly OptionPart[];
  readonly value: OptionValue;
  readonly place: SourcePlace;
}

export interface Declaration {
  readonly name: string;
  readonly origin: Origin;
  readonly options: readonly OptionNode[];
  /** Descriptor sets: the options message as it came. Its custom options are read once all files are known. */
  readonly encodedOptions?: Buffer;
}

export interface OneofNode extends Declaration {
  /** Made by protoc for a proto3 `optional` field: not a oneof to anybody. */
  readonly synthetic: boolean;
}

export interface FieldNode extends Declaration {
  readonly label: 'optional' | 'required' | 'repeated' | undefined;
  /** A scalar's name, or a message's or enum's as written; with a leading dot it is absolute. */
  readonly type: string;
  readonly number: number;
  readonly oneof: OneofNode | undefined;
  readonly map: { readonly key: FieldNode; readonly value: FieldNode } | undefined;
  readonly group: boolean;
  /** Descriptor sets say it; in text it is an option. */
  readonly jsonName?: string;
}

/** Inclusive. */
export interface NumberRange {
  readonly from: number;
  readonly to: number;
}

export interface MessageNode extends Declaration {
  readonly fields: readonly FieldNode[];
  readonly oneofs: readonly OneofNode[];
  readonly messages: readonly MessageNode[];
  readonly enums: readonly EnumNode[];
  readonly extends: readonly ExtendNode[];
  readonly extensionRanges: readonly NumberRange[];
  readonly reservedRanges: readonly NumberRange[];
  readonly reservedNames: readonly string[];
}

export interface EnumNode extends Declaration {
  readonly values: readonly EnumValueNode[];
  readonly reservedRanges: readonly NumberRange[];
  readonly reservedNames: readonly string[];
}

export interface EnumValueNode extends Declaration {
  readonly number: number;
}

export interface ExtendNode {
  /** The extended message, as written. */
  readonly extendee: string;
  readonly fields: readonly FieldNode[];
}

export interface MethodNode extends Declaration {
  readonly input: string;
  readonly output: string;
  readonly clientStreaming: boolean;
  readonly serverStreaming: boolean;
}

export interface ServiceNode extends Declaration {
  readonly methods: readonly MethodNode[];
}

export interface ImportNode {
  readonly name: string;
  /** What it declares is visible to those who import this file, too. */
  readonly public: boolean;
  /** May be missing. */
  readonly weak: boolean;
  readonly place: SourcePlace;
}

export interface FileNode {
  /** As imports name it. */
  readonly name: string;
  /** As messages name it. */
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
  /** Parts of it could not be read (reported): what it does not declare may still exist. */
  readonly incomplete: boolean;
}
