/** What `check` found, for people and for CI: text, JSON, JUnit and SARIF. */
import type { Problem } from '../status.js';
import { condensed } from './condense.js';
import { packageVersion } from '../installation.js';
import { renderProblem, type RenderOptions, type Severity } from './render.js';

/** The forms of a report. */
export const reportFormats = ['text', 'json', 'junit', 'sarif'] as const;
export type ReportFormat = (typeof reportFormats)[number];

/** A problem and how bad it is. */
export interface Finding {
  readonly severity: Severity;
  readonly problem: Problem;
}

/** The result of a check. */
export interface Report {
  readonly findings: readonly Finding[];
  /** How many routes are served; undefined if the configuration could not be loaded. */
  readonly routes: number | undefined;
  /** True if a warning is a failure. */
  readonly isStrict?: boolean;
}

/** The report for programs. Text is written by `textReport`. */
export function printReport(report: Report, format: Exclude<ReportFormat, 'text'>): string {
  switch (format) {
    case 'json':
      return `${JSON.stringify(jsonReport(report), null, 2)}\n`;
    case 'junit':
      return junitReport(report);
    case 'sarif':
      return `${JSON.stringify(sarifReport(report), null, 2)}\n`;
  }
}

/** The problems for standard error, and the last line for standard output. */
export function textReport(report: Report, options: RenderOptions): { errors: string; output: string } {
  const { findings, routes = 0 } = report;
  const of = (wanted: Severity): Problem[] =>
    findings.filter(({ severity }) => severity === wanted).map(({ problem }) => problem);
  const problems = of('error');
  const warnings = condensed(of('warning'));
  const errors = [
    ...problems.map((problem) => renderProblem(problem, 'error', options)),
    ...warnings.map((problem) => renderProblem(problem, 'warning', options)),
  ].join('');
  const warned = counted(warnings.length, 'warning');
  if (isGood(report)) return { errors, output: `ok: ${counted(routes, 'route')}, ${warned}\n` };
  const why = problems.length === 0 ? ' (--strict)' : '';
  return { errors, output: `failed: ${counted(problems.length, 'problem')}, ${warned}${why}\n` };
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

/** False if there is a problem, or a warning that counts as one. */
export function isGood({ findings, isStrict = false }: Report): boolean {
  return isStrict ? findings.length === 0 : findings.every(({ severity }) => severity !== 'error');
}

function jsonReport(report: Report): object {
  const problems = report.findings.map(({ severity, problem: { place, ...problem } }) => ({
    severity,
    ...problem,
    file: place?.file ?? null,
    line: place?.line ?? null,
    column: place?.column ?? null,
  }));
  return { ok: isGood(report), routes: report.routes ?? null, problems };
}

/** One test case for each problem; warnings pass. Without any there is one that passes. */
function junitReport({ findings }: Report): string {
  const failures = findings.filter(({ severity }) => severity === 'error').length;
  const cases = findings.map(({ severity, problem }) => {
    const text = escapeXml(renderProblem(problem, severity, { color: false, workingDirectory: '/' }));
    const content =
      severity === 'error'
        ? `<failure message="${escapeXml(problem.message)}" type="${problem.code}">${text}</failure>`
        : `<system-out>${text}</system-out>`;
    const name = escapeXml(problem.rpc === undefined ? problem.message : `${problem.rpc}: ${problem.message}`);
    return `    <testcase classname="${problem.code}" name="${name}"${fileAttribute(problem)}>${content}</testcase>\n`;
  });
  const all = cases.length > 0 ? cases : ['    <testcase classname="photongate" name="check"/>\n'];
  return (
    '<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n' +
    `  <testsuite name="photongate check" tests="${all.length}" failures="${failures}" errors="0" skipped="0">\n` +
    `${all.join('')}  </testsuite>\n</testsuites>\n`
  );
}

function fileAttribute({ place }: Problem): string {
  if (place === undefined) return '';
  const line = place.line === undefined ? '' : ` line="${place.line}"`;
  return ` file="${escapeXml(place.file)}"${line}`;
}

/** XML 1.0 has no form for control characters. */
function escapeXml(text: string): string {
  return text
    .replace(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/"/g, '&quot;');
}

/** SARIF 2.1.0, as GitHub and others take it. */
function sarifReport({ findings }: Report): object {
  const codes = [...new Set(findings.map(({ problem }) => problem.code))].sort();
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'photongate', version: packageVersion(), rules: codes.map((id) => ({ id })) } },
        results: findings.map(({ severity, problem }) => ({
          ruleId: problem.code,
          ruleIndex: codes.indexOf(problem.code),
          level: severity,
          message: { text: sarifText(problem) },
          ...(problem.place === undefined ? {} : { locations: [sarifLocation(problem.place)] }),
        })),
      },
    ],
  };
}

function sarifText({ message, rpc, template, hint }: Problem): string {
  const parts = [
    message,
    ...(rpc === undefined ? [] : [`rpc ${rpc}`]),
    ...(template === undefined ? [] : [`template ${template}`]),
    ...(hint === undefined ? [] : [`hint: ${hint}`]),
  ];
  return parts.join('\n');
}

function sarifLocation({ file, line, column }: NonNullable<Problem['place']>): object {
  const region =
    line === undefined ? {} : { region: { startLine: line, ...(column !== undefined && { startColumn: column }) } };
  // A relative reference: characters that a URI does not have are escaped.
  return { physicalLocation: { artifactLocation: { uri: encodeURI(file) }, ...region } };
}
