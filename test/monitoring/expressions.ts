/** What the alert rules and the dashboard of examples/monitoring ask Prometheus. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

export const monitoring = fileURLToPath(new URL('../../examples/monitoring/', import.meta.url));

export interface Expression {
  /** Of the alert or the panel. */
  readonly name: string;
  readonly text: string;
}

export interface Rules {
  readonly groups: readonly { readonly rules: readonly { readonly alert: string; readonly expr: string }[] }[];
}

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

export const rules = parse(readFileSync(`${monitoring}photongate.rules.yaml`, 'utf8')) as Rules;
const dashboard = JSON.parse(readFileSync(`${monitoring}grafana-dashboard.json`, 'utf8')) as { panels: Panel[] };

/** Names of alerts, in their order. */
export const alerts = rules.groups.flatMap((group) => group.rules.map(({ alert }) => alert));

export const alertExpressions: readonly Expression[] = rules.groups.flatMap((group) =>
  group.rules.map(({ alert, expr }) => ({ name: alert, text: expr })),
);
export const panelExpressions: readonly Expression[] = dashboard.panels.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr }) => ({ name: title, text: expr })),
);

/** The metrics of an expression, and the labels that it compares with each. */
export function selectorsOf({ text }: Expression): { metric: string; labels: string[] }[] {
  return [...text.matchAll(/([a-z_]\w*)\{([^}]*)\}/g)].map(([, metric = '', matchers = '']) => ({
    metric,
    labels: [...matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label = '']) => label),
  }));
}

/** The labels that an expression groups and joins by. */
export function groupingOf({ text }: Expression): string[] {
  return [...text.matchAll(/\b(?:by|on) \(([^)]*)\)/g)].flatMap(([, names = '']) => names.split(', '));
}
