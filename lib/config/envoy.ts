/** An Envoy bootstrap as settings: translated to what our file would say, and read like that. */
import { type BootstrapSource, translateBootstrap, type Translation } from '../envoy/index.js';
import { nodeOf, Reader } from '../options/index.js';
import { ProblemList, type SourcePlace } from '../status.js';
import { readSettings, type Settings } from './settings.js';

/** Which bootstrap, and how strictly it is read. */
export interface EnvoyInput {
  /** Merged in this order. */
  readonly sources: readonly BootstrapSource[];
  /** What cannot be honoured is a warning. */
  readonly lenient: boolean;
  /** In place of what it says itself. */
  readonly drainTimeoutMs?: number | undefined;
  readonly workers?: number | undefined;
  /** For `environment_variable`. Default: no variables. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** What is wrong goes to `problems`. */
export function readBootstrap(
  { sources, lenient, drainTimeoutMs, workers, environment = {} }: EnvoyInput,
  workingDirectory: string,
  problems: ProblemList,
): Settings {
  const translated = translateBootstrap(sources, { lenient, problems, folder: workingDirectory, environment });
  if (problems.errors.length > 0) return {};
  const settings = readTranslation(translated, workingDirectory, problems);
  const given = workers === undefined ? settings : { ...settings, workers };
  return drainTimeoutMs === undefined ? given : withDrainTimeout(given, drainTimeoutMs);
}

/** What our own reader finds wrong is reported where the bootstrap says it. */
function readTranslation({ settings, places }: Translation, folder: string, problems: ProblemList): Settings {
  const found = new ProblemList();
  const reader = new Reader(found, { folder });
  const paths = new Map<SourcePlace, string>();
  const placeOf = (value: object): SourcePlace | undefined => {
    const at = places.get(value);
    if (at?.place !== undefined) paths.set(at.place, at.path);
    return at?.place;
  };
  const root = nodeOf(settings, placeOf);
  const [read = {}] = reader.attempt('', undefined, () => readSettings(root, reader));
  for (const problem of found.errors) {
    const path = problem.place && paths.get(problem.place);
    problems.error(path === undefined ? problem : { ...problem, message: `${path}: ${problem.message}` });
  }
  return read;
}

function withDrainTimeout(settings: Settings, drainTimeoutMs: number): Settings {
  const listeners = settings.listeners?.map((listener) => {
    return { ...listener, options: { ...listener.options, drainTimeoutMs } };
  });
  return { ...settings, ...(listeners !== undefined && { listeners }) };
}
