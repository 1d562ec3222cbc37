/**
 * Start-up problems for people: the message, the position with its source line, the RPC, and a hint. Colors are used only on a
 * terminal and without NO_COLOR.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { styleText } from 'node:util';
import type { Problem, SourcePlace } from '../status.js';

/** How serious a problem is. */
export type Severity = 'error' | 'warning';

/** How problems are shown. */
export interface RenderOptions {
  readonly color: boolean;
  /** The folder of relative file names. */
  readonly workingDirectory: string;
}

/** One problem on several lines. */
export function renderProblem(
  problem: Problem,
  severity: Severity,
  { color, workingDirectory }: RenderOptions,
): string {
  const paint = (style: 'red' | 'yellow' | 'cyan' | 'bold', text: string): string =>
    color ? styleText(style, text) : text;
  const title = paint(severity === 'error' ? 'red' : 'yellow', `${severity}[${problem.code}]`);
  const lines = [`${title}: ${paint('bold', problem.message)}`];
  if (problem.place !== undefined || problem.rpc !== undefined) lines.push(`  at ${whereText(problem)}`);
  if (problem.place !== undefined)
    lines.push(...excerpt(problem.place, workingDirectory, (text) => paint('cyan', text)));
  if (problem.template !== undefined) lines.push(...templateLines(problem));
  if (problem.hint !== undefined) lines.push(`  hint: ${problem.hint}`);
  return `${lines.join('\n')}\n`;
}

function whereText({ place, rpc }: Problem): string {
  const parts: string[] = [];
  if (place !== undefined) {
    const line = place.line === undefined ? '' : `:${place.line}`;
    parts.push(
      `${place.file}${line}${place.line === undefined || place.column === undefined ? '' : `:${place.column}`}`,
    );
  }
  if (rpc !== undefined) parts.push(`rpc ${rpc}`);
  return parts.join(', ');
}

/** The line itself, with a caret under the column. */
function excerpt(place: SourcePlace, workingDirectory: string, paint: (text: string) => string): string[] {
  if (place.line === undefined) return [];
  const line = lineOf(resolve(workingDirectory, place.file), place.line);
  if (line === undefined || line.length > 400) return [];
  const number = String(place.line);
  const lines = [`  ${paint(`${number} |`)} ${line.replaceAll('\t', ' ')}`];
  if (place.column !== undefined) {
    lines.push(`  ${paint(`${' '.repeat(number.length)} |`)} ${' '.repeat(place.column - 1)}^`);
  }
  return lines;
}

function lineOf(file: string, line: number): string | undefined {
  try {
    return readFileSync(file, 'utf8').split(/\r?\n/)[line - 1];
  } catch {
    // The place may name a file that does not exist here, for example if it comes from a descriptor set.
    return undefined;
  }
}

function templateLines({ template, templateOffset }: Problem): string[] {
  const lines = [`  template: ${template!}`];
  if (templateOffset !== undefined) lines.push(`            ${' '.repeat(templateOffset)}^`);
  return lines;
}
