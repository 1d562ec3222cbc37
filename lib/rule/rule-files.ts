/**
 * Loads the service configs of a start, and finds the rule of an RPC in them. A file is read once, however many listeners and
 * mounts use it. `service-config` parses it.
 */
import { isUtf8 } from 'node:buffer';
import { isAbsolute, relative, resolve } from 'node:path';
import { diskFiles, type FileReader, type Schema } from '../schema/index.js';
import { messageOf, type ProblemList } from '../status.js';
import { quote } from '../uri.js';
import type { HttpRule } from './http-rule.js';
import type { Located } from './option-reader.js';
import { Selectable, unknownRpc } from './rpc-names.js';
import { selectorMatches } from './selector.js';
import { emptyConfig, parseServiceConfig, type ServiceConfig, type ServiceConfigRule } from './service-config.js';
import type { VisibilityRule } from './visibility.js';

/** The rules of one gateway, by RPC. If several match an RPC, the last one counts. */
export class RuleSet {
  private readonly byRpc = new Map<string, number>();
  private readonly wildcards: { readonly selector: string; readonly index: number }[] = [];

  /** @param rules in the given order. */
  constructor(private readonly rules: readonly ServiceConfigRule[]) {
    for (const [index, { selectors }] of rules.entries()) {
      for (const { value } of selectors) {
        if (value.endsWith('*')) this.wildcards.push({ selector: value, index });
        else this.byRpc.set(value, index);
      }
    }
  }

  /**
   * The rule and its additional bindings; empty if the rule removes the RPC's routes; undefined if the RPC keeps its
   * annotation.
   */
  forRpc(fullName: string): readonly HttpRule[] | undefined {
    const wildcard = this.wildcards.findLast(({ selector }) => selectorMatches(selector, fullName));
    const index = Math.max(this.byRpc.get(fullName) ?? -1, wildcard?.index ?? -1);
    return this.rules[index]?.rules;
  }
}

/** The rule files of a gateway, and the services that it serves. */
export interface RuleFileUse {
  readonly paths: readonly string[];
  readonly services: readonly string[];
}

/** All service configs of one start. A file's problems are reported when it is first requested. */
export class RuleFiles {
  private readonly byPath = new Map<string, ServiceConfig>();
  private readonly rpcs: readonly string[];
  /** The schema is incomplete (reported), so it may lack RPCs. */
  private readonly incomplete: boolean;

  /** @param problems already contains the problems of the schema. */
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

  /** The rules of these files, in their order. */
  ruleSet(paths: readonly string[]): RuleSet {
    return new RuleSet(paths.flatMap((path) => this.load(path).http));
  }

  /** What these files say of visibility, in their order. */
  visibility(paths: readonly string[]): VisibilityRule[] {
    return paths.flatMap((path) => this.load(path).visibility);
  }

  /** A warning for each selector that matches no RPC served by a gateway with its file. */
  reportUnserved(uses: readonly RuleFileUse[]): void {
    for (const [path, { http: rules }] of this.byPath) {
      const services = new Set(uses.filter(({ paths }) => paths.includes(path)).flatMap((use) => use.services));
      const served = new Selectable(this.rpcs.filter((rpc) => services.has(rpc.slice(0, rpc.lastIndexOf('.')))));
      const all = new Selectable(this.rpcs);
      for (const { value, place } of rules.flatMap(({ selectors }) => selectors)) {
        if (served.has(value) || !all.has(value)) continue;
        this.problems.warn({
          code: 'unserved-rule',
          message: `${quote(value)} selects RPCs of services that are not served`,
          place,
          hint: 'serve their .proto file with --proto, and check --service',
        });
      }
    }
  }

  private load(path: string): ServiceConfig {
    let config = this.byPath.get(path);
    if (config === undefined) {
      config = this.read(path);
      this.byPath.set(path, config);
      this.checkSelectors(config.http.flatMap(({ selectors }) => selectors));
    }
    return config;
  }

  private read(path: string): ServiceConfig {
    const file = this.display(path);
    const bytes = this.attempt(file, () => this.files.read(resolve(this.workingDirectory, path)));
    if (bytes === undefined) return emptyConfig;
    const text = bytes.toString('utf8');
    if (isUtf8(bytes)) return parseServiceConfig(file, text, this.problems);
    this.problems.error({
      code: 'service-config',
      message: 'the file is not UTF-8 text',
      place: { file },
      hint: 'give a service config in YAML or JSON, with http.rules',
    });
    return emptyConfig;
  }

  private attempt(file: string, read: () => Buffer | undefined): Buffer | undefined {
    let reason = 'there is no such file';
    try {
      const bytes = read();
      if (bytes !== undefined) return bytes;
    } catch (error) {
      reason = messageOf(error);
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
