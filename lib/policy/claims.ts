/** The claims of a verified token: looked up by name, compared with the requirements of an RPC, and converted to metadata. */
import type { MetadataEntry } from '../exchange.js';
import { escapeUtf8, quote } from '../uri.js';
import type { RequiredClaims } from './credential-options.js';

/** The payload of a token. */
export type Claims = Readonly<Record<string, unknown>>;

/** Claims whose list is one text with spaces (RFC 8693, and Entra ID). */
const spaceSeparated = new Set(['scope', 'scp']);

/** Looks a claim up by its whole name, which may contain dots, and then as a path: `realm_access.roles`. */
export function claimOf(claims: Claims, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  let value: unknown = claims;
  for (const step of name.split('.')) {
    if (value === null || typeof value !== 'object' || Array.isArray(value) || !Object.hasOwn(value, step)) {
      return undefined;
    }
    value = (value as Claims)[step];
  }
  return value;
}

/** The values of a claim as texts: the elements of a list, or one value. */
function valuesOf(claims: Claims, name: string): string[] {
  const value = claimOf(claims, name);
  const values = Array.isArray(value) ? (value as unknown[]) : [value];
  const texts = values.filter(isScalar).map(String);
  return spaceSeparated.has(name) && typeof value === 'string' ? value.split(' ').filter((text) => text !== '') : texts;
}

function isScalar(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

/**
 * The first requirement that is not met, completing "NAME needs a token …"; undefined if all are met.
 * @param what has the values, for the message
 */
export function missingClaim(claims: Claims, required: RequiredClaims, what = 'claim'): string | undefined {
  for (const [name, wanted] of required) {
    const values = valuesOf(claims, name);
    if (wanted.length === 0 || wanted.some((value) => values.includes(value))) continue;
    const found = values.length === 0 ? `no such ${what}` : quote(values.join(' '));
    return `whose ${what} ${quote(name)} has ${wanted.map((value) => quote(value)).join(' or ')}; this one has ${found}`;
  }
  return undefined;
}

/**
 * Claims as metadata, under the configured names. Lists are joined by commas, objects are JSON. Characters that metadata
 * cannot carry are percent-encoded, and so is `%`. For a name that ends in `-bin`, the value is the text in UTF-8.
 */
export function claimMetadata(claims: Claims, names: ReadonlyMap<string, string>): MetadataEntry[] {
  const metadata: MetadataEntry[] = [];
  for (const [claim, name] of names) {
    const value = claimOf(claims, claim);
    if (value === undefined || value === null) continue;
    metadata.push([name, name.endsWith('-bin') ? Buffer.from(textOf(value, String), 'utf8') : textOf(value, escaped)]);
  }
  return metadata;
}

function textOf(value: unknown, write: (text: string) => string): string {
  if (Array.isArray(value) && value.every(isScalar)) {
    return (value as unknown[]).map((item) => write(String(item)).replaceAll(',', '%2C')).join(',');
  }
  return write(isScalar(value) ? String(value) : JSON.stringify(value));
}

/** Escapes also spaces at the ends, which HTTP trims. */
function escaped(text: string): string {
  return text.toWellFormed().replace(/^ +| +$|[^\x20-\x7e]+|%/g, escapeUtf8);
}
