/** SVG charts without scripts or fonts of their own, readable on light and dark pages. */

const WIDTH = 760;
const FONT = 'font-family="system-ui, sans-serif" font-size="12"';
const STYLE = `<style>
  text { fill: #1f2328 } .faint { stroke: #d1d9e0 }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .faint { stroke: #3d444d } }
</style>`;

/** Told apart on both backgrounds, and by people who do not see red and green apart (Okabe and Ito). */
const COLOURS = ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#d55e00', '#56b4e9', '#8c8c8c', '#a08000'];

const escapeXml = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

const text = (x: number, y: number, words: string, more = ''): string =>
  `<text x="${round(x)}" y="${round(y)}"${more}>${escapeXml(words)}</text>`;

const round = (value: number): number => Math.round(value * 10) / 10;

function frame(height: number, title: string, parts: readonly string[]): string {
  const size = `width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}"`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img" ${FONT}>`,
    `<title>${escapeXml(title)}</title>`,
    STYLE,
    ...parts,
    '</svg>\n',
  ].join('\n');
}

/** The names of the series, each behind its colour, in as many lines as they need. */
function legend(names: readonly string[], y: number): { parts: string[]; height: number } {
  const parts: string[] = [];
  let [x, line] = [10, 0];
  for (const [index, name] of names.entries()) {
    const width = 30 + name.length * 6.6;
    if (x + width > WIDTH) [x, line] = [10, line + 1];
    const top = y + line * 18;
    parts.push(`<rect x="${round(x)}" y="${top}" width="12" height="12" fill="${COLOURS[index]}"/>`);
    parts.push(text(x + 17, top + 11, name));
    x += width;
  }
  return { parts, height: (line + 1) * 18 };
}

export interface BarGroup {
  readonly name: string;
  /** One for each series, undefined where it has none. */
  readonly values: readonly (number | undefined)[];
}

/** Horizontal bars in groups, each group by a scale of its own. */
export function bars(
  title: string,
  series: readonly string[],
  groups: readonly BarGroup[],
  label: (value: number) => string,
): string {
  const key = legend(series, 10);
  const parts = [...key.parts];
  let y = key.height + 24;
  for (const { name, values } of groups) {
    parts.push(text(10, y + 4, name, ' font-weight="bold"'));
    y += 12;
    const largest = Math.max(...values.map((value) => value ?? 0));
    for (const [index, value] of values.entries()) {
      if (value === undefined) continue;
      const width = Math.max(1, (value / largest) * (WIDTH - 110));
      parts.push(`<rect x="10" y="${y}" width="${round(width)}" height="11" fill="${COLOURS[index]}"/>`);
      parts.push(text(width + 16, y + 10, label(value)));
      y += 14;
    }
    y += 20;
  }
  return frame(y, title, parts);
}

export interface Curve {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** Curves over a linear x and a logarithmic y. */
export function curves(title: string, xName: string, yName: string, all: readonly Curve[]): string {
  const [left, right, height] = [60, WIDTH - 20, 300];
  const key = legend(
    all.map(({ name }) => name),
    10,
  );
  const top = key.height + 40;
  const bottom = top + height;
  const points = all.flatMap((curve) => curve.points);
  const xMax = Math.max(...points.map(([x]) => x));
  const yMin = 10 ** Math.floor(Math.log10(Math.min(...points.map(([, y]) => y))));
  const yMax = 10 ** Math.ceil(Math.log10(Math.max(...points.map(([, y]) => y))));
  const atX = (x: number): number => left + (x / xMax) * (right - left);
  const atY = (y: number): number => bottom - (Math.log10(y / yMin) / Math.log10(yMax / yMin)) * height;
  const parts = [...key.parts, text(10, top - 14, yName)];
  for (let decade = yMin; decade <= yMax * 1.001; decade *= 10) {
    for (const step of decade === yMax ? [1] : [1, 2, 5]) {
      const y = round(atY(decade * step));
      parts.push(`<line class="faint" x1="${left}" x2="${right}" y1="${y}" y2="${y}"/>`);
      parts.push(text(left - 8, y + 4, String(Number((decade * step).toPrecision(1))), ' text-anchor="end"'));
    }
  }
  const xStep = niceStep(xMax / 6);
  for (let x = 0; x <= xMax; x += xStep) {
    parts.push(text(atX(x), bottom + 18, x.toLocaleString('en'), ' text-anchor="middle"'));
  }
  parts.push(text((left + right) / 2, bottom + 38, xName, ' text-anchor="middle"'));
  for (const [index, curve] of all.entries()) {
    const path = curve.points.map(([x, y]) => `${round(atX(x))},${round(atY(y))}`);
    const colour = COLOURS[index];
    parts.push(`<polyline points="${path.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`);
    for (const point of path) {
      const [x, y] = point.split(',');
      parts.push(`<circle cx="${x}" cy="${y}" r="3" fill="${colour}"/>`);
    }
  }
  return frame(bottom + 50, title, parts);
}

function niceStep(step: number): number {
  const decade = 10 ** Math.floor(Math.log10(step));
  return decade * [1, 2, 5, 10].find((factor) => factor * decade >= step)!;
}
