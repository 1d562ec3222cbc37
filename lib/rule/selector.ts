/**
 * Selectors of services and RPCs, as the command line and service configs write them: names, with a `*` for everything in a
 * package or service.
 */
import type { Schema, ServiceDescriptor } from '../schema/types.js';
import { nearestName, type Problem, type ProblemList } from '../status.js';
import { quote } from '../uri.js';

/** True if a selector matches `fullName`: the name itself, `pkg.*` for all names below it, or `*`. */
export function selectorMatches(selector: string, fullName: string): boolean {
  if (selector === '*') return true;
  if (selector.endsWith('.*')) return fullName.startsWith(selector.slice(0, -1));
  return selector === fullName;
}

/** True for a well-formed selector: `a.b.C`, `a.b.*` or `*`. */
export function isSelector(text: string): boolean {
  return /^(?:[A-Za-z_]\w*\.)*(?:[A-Za-z_]\w*|\*)$/.test(text);
}

/** Like `selectorMatches`; the name of a package also matches the services of that package. */
function serviceMatches(pattern: string, { fullName, file }: ServiceDescriptor): boolean {
  return selectorMatches(pattern, fullName) || (pattern !== '' && file.package === pattern);
}

/**
 * The services to serve, in the schema's order; all if there are no patterns. A pattern that is malformed or matches nothing
 * is an error.
 */
export function selectServices(
  schema: Schema,
  patterns: readonly string[],
  problems: ProblemList,
): readonly ServiceDescriptor[] {
  if (patterns.length === 0) return schema.services;
  for (const pattern of patterns) {
    if (!schema.services.some((service) => serviceMatches(pattern, service))) {
      problems.error(isSelector(pattern) ? unknownService(schema, pattern) : badSelector(pattern));
    }
  }
  return schema.services.filter((service) => patterns.some((pattern) => serviceMatches(pattern, service)));
}

function badSelector(pattern: string): Problem {
  return {
    code: 'selector-syntax',
    message: `${quote(pattern)} is not a selector of services`,
    hint: 'write a full name (pkg.Service), a package (pkg), a package with those below it (pkg.*), or *',
  };
}

function unknownService(schema: Schema, pattern: string): Problem {
  const imported = schema.files
    .filter(({ services }) => services.some((service) => serviceMatches(pattern, service)))
    .map(({ name }) => name);
  if (imported.length > 0) {
    return {
      code: 'unknown-service',
      message: `${quote(pattern)} matches only services of ${imported.join(', ')}, which is imported but not served`,
      hint: `serve it: --proto ${imported[0]!}`,
    };
  }
  const names = schema.services.map(({ fullName }) => fullName);
  const packages = schema.services.map(({ file }) => file.package);
  const known = pattern.endsWith('.*') ? packages.map((name) => `${name}.*`) : [...names, ...packages];
  const near = nearestName(pattern, known) ?? sameLastName(pattern, names);
  return {
    code: 'unknown-service',
    message: `no service is named ${quote(pattern)}`,
    hint: near === undefined ? knownServices(names) : `did you mean ${near}?`,
  };
}

/** `hello.v1.Greeter` for `Greeter`: the full name, if only the package is missing. */
function sameLastName(pattern: string, names: readonly string[]): string | undefined {
  return names.find((name) => name.endsWith(`.${pattern}`));
}

function knownServices(names: readonly string[]): string {
  if (names.length === 0) return 'the schema has no services';
  return `the services are ${names.slice(0, 10).join(', ')}${names.length > 10 ? ', …' : ''}`;
}
