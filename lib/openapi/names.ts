/** Unique names of components, one for each message and enum, in the style of `openapi_names`. */
import type { EnumDescriptor, FileDescriptor, MessageDescriptor, MethodDescriptor } from '../schema/types.js';
import type { ComponentNaming } from './options.js';

/** Schemas of the proxy's own answers. */
export type OwnComponent = 'Error' | 'ErrorEnvelope' | 'ErrorResponse' | 'Meta' | 'Problem';
const ownComponents: readonly OwnComponent[] = ['Error', 'ErrorEnvelope', 'ErrorResponse', 'Meta', 'Problem'];

/** An RPC, or a route to it. */
interface Named {
  readonly method: MethodDescriptor;
}

/** The component names of one document. */
export class ComponentNames {
  /** Full name → preferred name. */
  private readonly wishes: ReadonlyMap<string, string>;
  /** Name → the type that has it. */
  private readonly owners = new Map<string, string>();
  private readonly own: ReadonlyMap<OwnComponent, string>;

  /** @param bindings those of the whole document: short names must be unique among all its types */
  constructor(
    bindings: readonly Named[],
    private readonly naming: ComponentNaming,
  ) {
    this.wishes = wishesFor(bindings, naming);
    const wished = new Set(this.wishes.values());
    this.own = new Map(
      ownComponents.map((name) => {
        let free: string = name;
        for (let count = 2; wished.has(free); count++) free = `${name}${count}`;
        return [name, free];
      }),
    );
  }

  /** The name of a component of the proxy; it is numbered if a type has that name. */
  ofOwn(name: OwnComponent): string {
    return this.own.get(name)!;
  }

  /**
   * The name of a message or enum.
   * @param how how the type is printed: parts of a document with different options have different components
   */
  of({ fullName }: MessageDescriptor | EnumDescriptor, how: string): string {
    const owner = `${fullName} ${how}`;
    const wish = this.wishes.get(fullName) ?? styled(fullName, this.naming);
    for (let count = 1; ; count++) {
      const name = count === 1 ? wish : `${wish}${this.naming === 'dotted' ? '-' : '_'}${count}`;
      const known = this.owners.get(name);
      if (known === undefined) this.owners.set(name, owner);
      if (known === undefined || known === owner) return name;
    }
  }
}

function styled(fullName: string, naming: ComponentNaming): string {
  return naming === 'dotted' ? fullName : fullName.replaceAll('.', '_');
}

function wishesFor(bindings: readonly Named[], naming: ComponentNaming): ReadonlyMap<string, string> {
  const types = reachableTypes(bindings);
  if (naming !== 'short') return new Map(types.map((type) => [type, styled(type, naming)]));
  const packages = packagesOf(bindings);
  const short = new Map(types.map((type) => [type, styled(withoutPackage(type, packages), naming)]));
  const uses = new Map<string, number>(ownComponents.map((name) => [name, 1]));
  for (const name of short.values()) uses.set(name, (uses.get(name) ?? 0) + 1);
  return new Map([...short].map(([type, name]) => [type, uses.get(name) === 1 ? name : styled(type, naming)]));
}

/** Full names of all messages and enums that requests and answers can contain. */
function reachableTypes(bindings: readonly Named[]): string[] {
  const types = new Set<string>();
  const waiting = bindings.flatMap(({ method }) => [method.input, method.output]);
  for (let message = waiting.pop(); message !== undefined; message = waiting.pop()) {
    if (types.has(message.fullName)) continue;
    types.add(message.fullName);
    for (const field of message.fields) {
      const { enum: values, message: inner } = field.map?.value ?? field;
      if (inner !== undefined) waiting.push(inner);
      if (values !== undefined) types.add(values.fullName);
    }
  }
  return [...types];
}

/** The packages of the services' files and all their imports, longest first. */
function packagesOf(bindings: readonly Named[]): string[] {
  const files = new Set<FileDescriptor>();
  const waiting = bindings.map(({ method }) => method.service.file);
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (files.has(file)) continue;
    files.add(file);
    waiting.push(...file.imports);
  }
  return [...new Set([...files].map((file) => file.package))].sort((a, b) => b.length - a.length);
}

/** No message has the name of a package, so the longest matching package is the type's own. */
function withoutPackage(fullName: string, packages: readonly string[]): string {
  const own = packages.find((name) => name !== '' && fullName.startsWith(`${name}.`));
  return own === undefined ? fullName : fullName.slice(own.length + 1);
}
