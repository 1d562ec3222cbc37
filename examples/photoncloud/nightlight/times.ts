/** Times and durations as people type them. Undefined where a text is none. */

const units: Readonly<Record<string, number>> = {
  ...{ ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000, y: 31_536_000_000 },
};

const rfc3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)$/;
/** The year 9999 ends here, and RFC 3339 with it. */
const lastMs = 253_402_300_799_999;

/**
 * RFC 3339, or seconds since 1970 → milliseconds since 1970. A space before the zone is a `+`: in a query it has become
 * one where nobody escaped it (`time=2026-01-01T00:00:00+09:00`).
 */
export function readTime(given: string): number | undefined {
  const text = given.replace(/ (\d\d:\d\d)$/, '+$1');
  let ms: number;
  if (/^\d{1,12}(?:\.\d{1,9})?$/.test(text)) ms = Math.round(Number(text) * 1000);
  else if (rfc3339.test(text) && isDay(text)) ms = Date.parse(text.toUpperCase().replace(' ', 'T'));
  else return undefined;
  return ms >= 0 && ms <= lastMs ? ms : undefined;
}

/** JavaScript takes the 30th of February for the 2nd of March. */
function isDay(text: string): boolean {
  const [year, month, day] = text.slice(0, 10).split('-').map(Number) as [number, number, number];
  return new Date(Date.UTC(year, month - 1, day)).getUTCDate() === day;
}

/** `15s`, `1m`, `1h30m`, `500ms` → milliseconds. */
export function readDuration(text: string): number | undefined {
  if (!/^(?:\d{1,12}(?:ms|[smhdwy]))+$/.test(text)) return undefined;
  let ms = 0;
  for (const [, number, unit] of text.matchAll(/(\d+)(ms|[smhdwy])/g)) ms += Number(number) * units[unit!]!;
  return ms > 0 && ms <= lastMs ? ms : undefined;
}

/** A duration, or seconds. */
export function readStep(text: string): number | undefined {
  if (!/^\d{1,12}(?:\.\d{1,9})?$/.test(text)) return readDuration(text);
  const ms = Math.round(Number(text) * 1000);
  return ms > 0 ? ms : undefined;
}

/** `2026-01-01T00:00:00Z`, with milliseconds where there are any. */
export function writeTime(ms: number): string {
  return new Date(ms).toISOString().replace('.000Z', 'Z');
}
