/**
 * Loads the service configs of a start and says which rule an RPC gets from them. A file is read once, however many
 * listeners and mounts name it. What a file holds is `service-config`'s part.
 */
import { isAbsolute, relative, resolve } from 'node:path';
import { diskFiles, type FileReader, type Schema } from '../schema/index.js';
import type { ProblemList } from '../status.js';
import { quote } from '../uri.js';
import type { HttpRule } from './http-rule.js';
import type { Located } from './option-reader.js';
import { Selectable, unknownRpc } from './rpc-names.js';
import { selectorMatches } from './selector.js';
import { parseServiceConfig, type ServiceConfigRule } from './service-config.js';

/** A larger file is none. */
const MAX_FILE_BYTES = 4 * 1024 ** 2;

/** The rules of one gateway, by RPC. Of several for one RPC the last counts. */
export class RuleSet {
  private readonly byRpc = new Map<string, number>();
  private readonly wildcards: { readonly selector: string; readonly index: number }[] = [];

  /** @param rules in the order in which they were given. */
  constructor(private readonly rules: readonly ServiceConfigRule[]) {
    for (const [index, { selectors }] of rules.entries()) {
      for (const { value } of selectors) {
        if (value.endsWith('*')) this.wildcards.push({ selector: value, index });
        else this.byRpc.set(value, index);
      }
    }
  }

  /** The rule and its additional bindings; undefined where the RPC keeps its annotation. */
  forRpc(fullName: string): readonly HttpRule[] | undefined {
    const wildcard = this.wildcards.findLast(({ selector }) => selectorMatches(selector, fullName));
    const index = Math.max(this.byRpc.get(fullName) ?? -1, wildcard?.index ?? -1);
    return this.rules[index]?.rules;
  }
}

/** A gateway's rule files, and the services it serves. */
export interface RuleFileUse {
  readonly paths: readonly string[];
  readonly services: readonly string[];
}

/** All service configs of one start. Problems of a file are reported when it is first asked for. */
export class RuleFiles {
  private readonly byPath = new Map<string, readonly ServiceConfigRule[]>();
  private readonly rpcs: readonly string[];
  /** The schema lacks something (reported), and with it perhaps RPCs. */
  private readonly incomplete: boolean;

  /** @param problems what was found wrong with the schema is in it already. */
  constructor(
    schema: Schema,
    private readonly workingDirectory: string,
    private readonly problems: ProblemList,
    private readonly files: FileReader = diskFiles,
  ) {
    const services = schema.files.flatMap((file) => file.services);
    this.incomplete = problems.errors.length > 0;
    this.rpcs = services.flatMap(({ methods }) => methods.map(({ fullName }) => fullName));
  }

  /** The rules of these files together, in their order. */
  ruleSet(paths: readonly string[]): RuleSet {
    return new RuleSet(paths.flatMap((path) => this.load(path)));
  }

  /** A warning for each selector whose RPCs no gateway with its file serves. */
  reportUnserved(uses: readonly RuleFileUse[]): void {
    for (const [path, rules] of this.byPath) {
      const services = new Set(uses.filter(({ paths }) => paths.includes(path)).flatMap((use) => use.services));
      const served = new Selectable(this.rpcs.filter((rpc) => services.has(rpc.slice(0, rpc.lastIndexOf('.')))));
      const all = new Selectable(this.rpcs);
      for (const { value, place } of rules.flatMap(({ selectors }) => selectors)) {
        if (served.has(value) || !all.has(value)) continue;
        this.problems.warn({
          code: 'unserved-rule',
          message: `${quote(value)} selects RPCs of services that are not served`,
          place,
          hint: 'ask for their .proto file with --proto, and check --service',
        });
      }
    }
  }

  private load(path: string): readonly ServiceConfigRule[] {
    let rules = this.byPath.get(path);
    if (rules === undefined) {
      rules = this.read(path);
      this.byPath.set(path, rules);
      this.checkSelectors(rules.flatMap(({ selectors }) => selectors));
    }
    return rules;
  }

  private read(path: string): ServiceConfigRule[] {
    const file = this.display(path);
    const bytes = this.attempt(file, () => this.files.read(resolve(this.workingDirectory, path)));
    if (bytes === undefined) return [];
    const text = bytes.toString('utf8');
    if (bytes.length <= MAX_FILE_BYTES && Buffer.from(text).equals(bytes)) {
      return parseServiceConfig(file, text, this.problems);
    }
    this.problems.error({
      code: 'service-config',
      message: bytes.length > MAX_FILE_BYTES ? 'the file is larger than 4 MiB' : 'the file is not UTF-8 text',
      place: { file },
      hint: 'give a service config in YAML or JSON, with http.rules',
    });
    return [];
  }

  private attempt(file: string, read: () => Buffer | undefined): Buffer | undefined {
    let reason = 'there is no such file';
    try {
      const bytes = read();
      if (bytes !== undefined) return bytes;
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
    }
    this.problems.error({
      code: 'service-config',
      message: `the rules ${quote(file)} cannot be read: ${reason}`,
      hint: 'give the path of a service config to --rules',
    });
    return undefined;
  }

  private checkSelectors(selectors: readonly Located<string>[]): void {
    if (this.incomplete) return;
    const all = new Selectable(this.rpcs);
    for (const { value, place } of selectors) {
      if (!all.has(value)) this.problems.error({ ...unknownRpc(value, this.rpcs), place });
    }
  }

  private display(path: string): string {
    const below = relative(this.workingDirectory, resolve(this.workingDirectory, path));
    return below.startsWith('..') || isAbsolute(below) ? path : below;
  }
}
