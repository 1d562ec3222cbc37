/**
 * Whether two files of one name have the same declarations. Sets from other compilers, with or without comments, or for other
 * languages differ in their bytes without any difference in meaning.
 */
import type { EnumNode, FieldNode, FileNode, MessageNode, ServiceNode } from '../text/ast.js';

/** What is compared besides messages and enums. */
export interface Compared {
  /** Also services. A reflected file lacks those that its server does not serve. */
  readonly services: boolean;
  /** Also options of methods, and full names of types, which only descriptor sets have in a uniform form. */
  readonly encoded: boolean;
}

/** Whether two files declare the same. */
export function declaresSame(a: FileNode, b: FileNode, compared: Compared): boolean {
  return JSON.stringify(new Outline(compared).file(a)) === JSON.stringify(new Outline(compared).file(b));
}

/** The declarations of a file without places, comments, and options that only compilers use. */
class Outline {
  constructor(private readonly compared: Compared) {}

  file({ package: inPackage, messages, enums, extends: extensions, services }: FileNode): unknown {
    return [
      inPackage,
      messages.map((message) => this.message(message)),
      enums.map((inner) => this.enum(inner)),
      extensions.flatMap(({ extendee, fields }) => fields.map((field) => [this.type(extendee), this.field(field)])),
      this.compared.services ? services.map((service) => this.service(service)) : [],
    ];
  }

  private message({ name, fields, messages, enums }: MessageNode): unknown {
    return [
      name,
      fields.map((field) => this.field(field)),
      messages.map((message) => this.message(message)),
      enums.map((inner) => this.enum(inner)),
    ];
  }

  private field({ name, number, label, type, map, oneof }: FieldNode): unknown {
    const what = map === undefined ? this.type(type) : [this.type(map.key.type), this.type(map.value.type)];
    // Compilers create a oneof for each proto3 `optional`, and mark maps as repeated.
    const inside = oneof === undefined || oneof.synthetic ? '' : oneof.name;
    return [name, number, map === undefined ? (label ?? '') : '', what, inside];
  }

  private enum({ name, values }: EnumNode): unknown {
    return [name, values.map((value) => [value.name, value.number])];
  }

  private service({ name, methods }: ServiceNode): unknown {
    return [
      name,
      methods.map(({ name: method, input, output, clientStreaming, serverStreaming, encodedOptions }) => [
        method,
        this.type(input),
        this.type(output),
        clientStreaming,
        serverStreaming,
        this.compared.encoded ? (encodedOptions?.toString('base64') ?? '') : '',
      ]),
    ];
  }

  private type(name: string): string {
    return this.compared.encoded ? name : name.slice(name.lastIndexOf('.') + 1);
  }
}
