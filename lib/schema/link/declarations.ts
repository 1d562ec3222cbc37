/** All declarations of a file, each with its full name and the scope in which names of its options are resolved. */
import type { Declaration, EnumNode, FileNode, MessageNode } from '../text/ast.js';
import { joinName } from '../scopes.js';
import type { DeclarationKind } from '../types.js';

/** A declaration and its names. */
export interface Declared {
  readonly kind: DeclarationKind;
  readonly fullName: string;
  readonly node: Declaration;
  readonly scope: string;
}

/** Yields the declarations of a file in order. */
export function* declarationsOf(file: FileNode): Generator<Declared> {
  const around = file.package;
  yield* nestedIn(file, around);
  for (const node of file.services) {
    const scope = joinName(around, node.name);
    yield { kind: 'service', fullName: scope, node, scope };
    for (const method of node.methods) {
      yield { kind: 'rpc', fullName: joinName(scope, method.name), node: method, scope };
    }
  }
}

function* nestedIn(
  { messages, enums, extends: extensions }: Pick<MessageNode, 'messages' | 'enums' | 'extends'>,
  scope: string,
): Generator<Declared> {
  const declared = (kind: DeclarationKind, node: Declaration): Declared => {
    return { kind, fullName: joinName(scope, node.name), node, scope };
  };
  for (const node of messages) yield* inMessage(node, joinName(scope, node.name));
  for (const node of enums) {
    yield declared('enum', node);
    for (const value of node.values) yield enumValue(node, value, scope);
  }
  for (const { fields } of extensions) for (const node of fields) yield declared('extension', node);
}

function* inMessage(node: MessageNode, scope: string): Generator<Declared> {
  yield { kind: 'message', fullName: scope, node, scope };
  for (const field of node.fields) {
    yield { kind: 'field', fullName: joinName(scope, field.name), node: field, scope };
  }
  for (const oneof of node.oneofs) {
    yield { kind: 'oneof', fullName: joinName(scope, oneof.name), node: oneof, scope };
  }
  yield* nestedIn(node, scope);
}

/** The full name has the enum in it, unlike protobuf's, because readers expect that. */
function enumValue({ name }: EnumNode, node: Declaration, scope: string): Declared {
  return { kind: 'enum value', fullName: joinName(joinName(scope, name), node.name), node, scope };
}
