/**
 * What a reader of `InputNode`s needs besides the nodes: the list of problems, the base of relative paths, and the
 * spelling of names.
 */
import { camelCase } from './names.js';
import { ConfigError, type ProblemList, type SourcePlace } from '../status.js';

/** A value that is not accepted. Whoever reads the member that holds it reports it. */
export class OptionError extends Error {
  constructor(
    message: string,
    readonly code: 'bad-option' | 'config-type' | 'config-conflict' = 'bad-option',
    /** The message is preceded by the option's name. */
    readonly isNamed = code === 'bad-option',
  ) {
    super(message);
  }
}

/** How an input is read. */
export interface ReaderSettings {
  /** Base of relative paths. Default: they stay relative. */
  readonly folder?: string | undefined;
  /**
   * The input comes from a program: names are camelCase, numbers may be milliseconds, and problems name a path instead
   * of a place.
   */
  readonly isProgram?: boolean;
  /** The option's name in messages, from its name and those of all that it is in. Default: its name. */
  readonly title?: (name: string, path: readonly string[]) => string;
}

/** Reads one input. All problems are added to one list. */
export class Reader {
  readonly folder: string | undefined;
  readonly isProgram: boolean;
  private readonly title: NonNullable<ReaderSettings['title']>;
  private readonly path: string[] = [];

  constructor(
    readonly problems: ProblemList,
    { folder, isProgram = false, title = (name) => name }: ReaderSettings = {},
  ) {
    this.folder = folder;
    this.isProgram = isProgram;
    this.title = title;
  }

  /** The name of the member that is being read. */
  get name(): string {
    return this.path.at(-1) ?? '';
  }

  /**
   * The result of `read` for the member `name`, in a list. If `read` throws an OptionError, it is reported at `place`,
   * and the list is empty.
   */
  attempt<T>(name: string, place: SourcePlace | undefined, read: () => T): [T] | [] {
    this.path.push(name);
    try {
      return [read()];
    } catch (error) {
      if (error instanceof OptionError) {
        const isNamed = error.isNamed && !this.isProgram;
        this.error(place, error.code, isNamed ? `${this.title(name, this.path)}: ${error.message}` : error.message);
      } else if (error instanceof ConfigError) {
        for (const problem of error.problems)
          this.problems.error({ ...problem, ...(place !== undefined && { place }) });
      } else throw error;
      return [];
    } finally {
      this.path.pop();
    }
  }

  error(place: SourcePlace | undefined, code: string, message: string, hint?: string): void {
    // The option has its spelling in programs; members inside it have the spelling of docs/configuration.md.
    const [option, ...inside] = this.isProgram ? this.path : [];
    this.problems.error({
      code,
      message: option === undefined ? message : `${[camelCase(option), ...inside].join('.')}: ${message}`,
      ...(place !== undefined && { place }),
      ...(hint !== undefined && { hint }),
    });
  }
}
