/** What descriptors ask of the schema that they belong to: other descriptors, names, features, and options. */
import type { Declaration } from '../text/ast.js';
import type { Features } from '../text/features.js';
import type { EnumDescriptor, FileDescriptor, HiddenField, MessageDescriptor, OptionField } from '../types.js';
import type { EnumSymbol, ExtensionSymbol, MessageSymbol, SourceFile, SymbolTable } from './symbols.js';

/** The schema, as its descriptors see it. */
export interface Links {
  readonly symbols: SymbolTable;
  /** The descriptor of a loaded file. */
  linked(file: SourceFile): FileDescriptor;
  /** The FileDescriptorProto of a file that was read as text. */
  encode(file: SourceFile): Buffer;
  messageOf(symbol: MessageSymbol): MessageDescriptor;
  enumOf(symbol: EnumSymbol): EnumDescriptor;
  /** The extensions of a message, in the order of the files. */
  extensionsOf(fullName: string): readonly ExtensionSymbol[];
  /** The extensions of a message that callers may not see. */
  hiddenExtensionsOf(fullName: string): readonly HiddenField[];
  /** The features that a declaration inherits. */
  featuresAround(symbol: { readonly parent: MessageSymbol | undefined; readonly file: SourceFile }): Features;
  /**
   * The custom options of a declaration, in order; none if the encoded ones are malformed.
   * @param options the name of its options message: `MethodOptions`
   */
  readableOptions(node: Declaration, scope: string, file: SourceFile, options: string): readonly OptionField[];
}
