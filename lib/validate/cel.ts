/**
 * Rules in CEL, by `@bufbuild/cel`: an optional peer, loaded if a served message has such a rule. Only here messages become
 * objects.
 */
import type { CelFunc, CelInput } from '@bufbuild/cel';
import type { FileRegistry } from '@bufbuild/protobuf';
import type { FieldDescriptor, FileDescriptor, MessageDescriptor, ScalarType, Schema } from '../schema/types.js';
import { wallClock } from '../clock.js';
import { celPackages, type CelPackages } from '../packages.js';
import { messageOf } from '../status.js';
import type { PredefinedRule } from './annotations.js';
import { celFunctions } from './cel-functions.js';
import { RuleFault } from './checks.js';
import type { RuleMessage } from './rule-fields.js';
import { protoType } from './rule-fields.js';
import type { CelRule } from './rules.js';
import type { Value } from './values.js';
import type { MapKey, RuleStep } from './violation.js';

/** What CEL works on: a message, list, map or scalar. Made and read only here. */
export type CelThis = CelInput;

/** A compiled expression. */
export interface CelCheck {
  readonly rule: readonly RuleStep[];
  readonly id: string;
  /** The message of the violation; undefined if the value is right. @throws RuleFault if it cannot be evaluated */
  evaluate(self: CelThis): string | undefined;
}

/** Compiles expressions and makes the values that they see, for the messages of one schema. */
export class CelCompiler {
  private readonly packages: CelPackages;
  private readonly registry: FileRegistry;
  private readonly env: ReturnType<CelPackages['cel']['celEnv']>;

  /** @throws Error if the packages are not installed */
  constructor(schema: Schema) {
    const packages = celPackages();
    if (packages === undefined) {
      throw new Error(
        'the rule is in CEL, which needs the packages @bufbuild/cel and @bufbuild/protobuf: npm install them',
      );
    }
    this.packages = packages;
    this.registry = registryOf(schema, packages);
    const functions: CelFunc[] = [...packages.extensions.strings, ...celFunctions(packages)];
    this.env = packages.cel.celEnv({ registry: this.registry, funcs: functions });
  }

  /** @throws Error if the expression is none */
  compile(rule: CelRule, path: readonly RuleStep[], bindings: Readonly<Record<string, CelInput>> = {}): CelCheck {
    const { cel, wellKnown } = this.packages;
    const run = compiled(rule, () => cel.plan(this.env, cel.parse(rule.expression)));
    return {
      rule: path,
      id: rule.id,
      evaluate: (self) => {
        const result = run({
          ...bindings,
          this: self,
          get now() {
            return wellKnown.timestampFromDate(wallClock());
          },
        });
        if (cel.isCelError(result)) throw new RuleFault(result.message);
        if (result === true || result === '') return undefined;
        if (result !== false && typeof result !== 'string') {
          throw new RuleFault(`the expression gives ${typeof result}, and not a bool or string`);
        }
        if (rule.message !== '') return rule.message;
        return result === false ? `"${rule.expression}" returned false` : result;
      },
    };
  }

  /** A rule that a schema defines: its expression sees `rules`, and the extension's value as `rule`. */
  compilePredefined(
    cel: CelRule,
    path: readonly RuleStep[],
    type: RuleMessage,
    encoded: Buffer,
    { isExtension }: PredefinedRule,
  ): CelCheck {
    const { protobuf, reflect } = this.packages;
    const desc = this.registry.getMessage(type.typeName);
    if (desc === undefined) throw new Error(`${type.typeName} is not in the schema`);
    const message = protobuf.fromBinary(desc, encoded);
    const rules = reflect.reflect(desc, message);
    const number = path.at(-1)?.number ?? 0;
    const extension = isExtension ? this.registry.getExtensionFor(desc, number) : undefined;
    const rule = extension && this.input(extension, protobuf.getExtension(message, extension));
    return this.compile(cel, path, rule === undefined ? { rules } : { rules, rule });
  }

  private input(
    field: { fieldKind: string; listKind?: string; scalar?: number | undefined },
    value: unknown,
  ): CelInput {
    const { cel } = this.packages;
    if (Array.isArray(value)) {
      return value.map((item: unknown) => this.input({ ...field, fieldKind: field.listKind ?? 'scalar' }, item));
    }
    if (field.fieldKind === 'enum') return BigInt(Number(value));
    if (field.fieldKind === 'scalar' && field.scalar !== undefined) {
      return cel.celFromScalar(field.scalar, value as Parameters<typeof cel.celFromScalar>[1]);
    }
    return value as CelInput;
  }

  /** A message as an object. @throws RuleFault if the bytes are none */
  message({ fullName }: MessageDescriptor, wire: Buffer): CelThis {
    const { protobuf, reflect } = this.packages;
    const desc = this.registry.getMessage(fullName);
    if (desc === undefined) throw new RuleFault(`${fullName} is not known`);
    try {
      return reflect.reflect(desc, protobuf.fromBinary(desc, wire));
    } catch (error) {
      throw new RuleFault(`the bytes are no ${fullName}: ${messageOf(error)}`, { cause: error });
    }
  }

  /** The value of a field of a message. */
  field(message: CelThis, { number }: FieldDescriptor): CelThis {
    const { reflect } = this.packages;
    if (!reflect.isReflectMessage(message)) throw new TypeError('not a message');
    const field = message.fields.find((field) => field.number === number);
    if (field === undefined) throw new TypeError(`${message.desc.typeName} has no field ${number}`);
    return message.get(field);
  }

  item(list: CelThis, index: number): CelThis {
    if (!this.packages.reflect.isReflectList(list)) throw new TypeError('not a list');
    return list.get(index) as CelThis;
  }

  entry(map: CelThis, key: MapKey): CelThis {
    if (!this.packages.reflect.isReflectMap(map)) throw new TypeError('not a map');
    return map.get(key) as CelThis;
  }

  /** A scalar or enum. */
  scalar(type: ScalarType | 'enum', value: Value): CelThis {
    if (type === 'enum') return BigInt(Number(value));
    return this.packages.cel.celFromScalar(
      protoType(type),
      value as Parameters<CelPackages['cel']['celFromScalar']>[1],
    );
  }
}

function compiled<T>({ id, expression }: CelRule, compile: () => T): T {
  try {
    return compile();
  } catch (error) {
    throw new Error(`the CEL expression of ${JSON.stringify(id)} is wrong: ${messageOf(error)}, in ${expression}`, {
      cause: error,
    });
  }
}

function registryOf({ files }: Schema, { protobuf, wellKnown }: CelPackages): FileRegistry {
  const sorted = new Set<FileDescriptor>();
  const add = (file: FileDescriptor): void => {
    if (sorted.has(file)) return;
    for (const imported of file.imports) add(imported);
    sorted.add(file);
  };
  for (const file of files) add(file);
  const file = [...sorted].map(({ encoded }) => protobuf.fromBinary(wellKnown.FileDescriptorProtoSchema, encoded));
  return protobuf.createFileRegistry(protobuf.create(wellKnown.FileDescriptorSetSchema, { file }));
}
