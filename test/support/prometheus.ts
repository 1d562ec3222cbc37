/**
 * A strict reader of Prometheus' text format 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/), written
 * from its description: throws on what Prometheus would refuse or warn of.
 */

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly type: string;
  readonly help: string;
  readonly samples: Sample[];
}

const NAME = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const LABEL = '([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\\\\n]|\\\\["\\\\n])*)"';
const suffixes: Readonly<Record<string, readonly string[]>> = {
  counter: [''],
  gauge: [''],
  histogram: ['_bucket', '_sum', '_count'],
  summary: ['', '_sum', '_count'],
};

/** Families by name. */
export function parseMetrics(text: string): ReadonlyMap<string, Family> {
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  let current: [name: string, family: Family] | undefined;
  let help: [name: string, text: string] | undefined;
  if (!text.endsWith('\n')) throw new Error('the last line has no end');
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const comment = new RegExp(`^# (HELP|TYPE) (${NAME}) (.*)$`).exec(line);
    if (comment !== null) {
      const [, kind, name = '', rest = ''] = comment;
      if (kind === 'HELP') help = [name, rest];
      else {
        if (families.has(name)) throw new Error(`two types: ${line}`);
        if (!(rest in suffixes)) throw new Error(`no type: ${line}`);
        if (help?.[0] !== name) throw new Error(`no help before: ${line}`);
        current = [name, { type: rest, help: help[1], samples: [] }];
        families.set(...current);
      }
      continue;
    }
    const sample = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (\\S+)$`).exec(line);
    if (sample === null || current === undefined) throw new Error(`neither comment nor sample: ${line}`);
    const [, name = '', inBraces = '', number = ''] = sample;
    const [base, family] = current;
    if (!suffixes[family.type]!.some((suffix) => name === base + suffix)) throw new Error(`not of ${base}: ${line}`);
    const value = /^[+-]?Inf$/.test(number) ? Number(`${number}inity`) : Number(number);
    if (!/^nan$/i.test(number) && Number.isNaN(value)) throw new Error(`no number: ${line}`);
    const labels = labelsOf(inBraces, line);
    const key = JSON.stringify([name, Object.entries(labels).sort()]);
    if (seen.has(key)) throw new Error(`twice: ${line}`);
    seen.add(key);
    family.samples.push({ name, labels, value });
  }
  for (const [name, family] of families) if (family.type === 'histogram') checkHistogram(name, family);
  return families;
}

function labelsOf(text: string, line: string): Record<string, string> {
  const labels: Record<string, string> = {};
  let rest = text;
  while (rest !== '') {
    const match = new RegExp(`^${LABEL}(?:,|$)`).exec(rest);
    if (match === null) throw new Error(`no labels: ${line}`);
    labels[match[1]!] = match[2]!;
    rest = rest.slice(match[0].length);
  }
  return labels;
}

/** Buckets grow, and the last holds all. */
function checkHistogram(name: string, { samples }: Family): void {
  const last = new Map<string, number>();
  for (const sample of samples) {
    const { le, ...others } = sample.labels;
    const key = JSON.stringify(Object.entries(others).sort());
    if (sample.name === `${name}_bucket`) {
      if (le === undefined || sample.value < (last.get(key) ?? 0)) throw new Error(`buckets of ${name} ${key}`);
      last.set(key, sample.value);
    } else if (sample.name === `${name}_count` && sample.value !== last.get(key))
      throw new Error(`count of ${name} ${key}`);
  }
}
