/** The claims of a verified token: found by name, compared with what an RPC needs, written as metadata. */
import type { MetadataEntry } from '../exchange.js';
import { quote } from '../uri.js';
import type { RequiredClaims } from './jwt-options.js';

export type Claims = Readonly<Record<string, unknown>>;

/** Lists that are written as one text with spaces between (RFC 8693, and Entra ID). */
const spaced = new Set(['scope', 'scp']);

/** By its whole name, which may have dots in it, or as a path: `realm_access.roles`. */
function claimOf(claims: Claims, name: string): unknown {
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

/** Its values as texts: those of a list, or the one that it is. */
function valuesOf(claims: Claims, name: string): string[] {
  const value = claimOf(claims, name);
  const values = Array.isArray(value) ? (value as unknown[]) : [value];
  const texts = values.filter(isScalar).map(String);
  return spaced.has(name) && typeof value === 'string' ? value.split(' ').filter((text) => text !== '') : texts;
}

function isScalar(value: unknown): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

/** What is missing, to complete "NAME needs a token …"; undefined where nothing is. */
export function missingClaim(claims: Claims, required: RequiredClaims): string | undefined {
  for (const [name, wanted] of required) {
    const values = valuesOf(claims, name);
    if (wanted.length === 0 || wanted.some((value) => values.includes(value))) continue;
    const found = values.length === 0 ? 'no such claim' : quote(values.join(' '));
    return `whose claim ${quote(name)} has ${wanted.map((value) => quote(value)).join(' or ')}; this one has ${found}`;
  }
  return undefined;
}

/**
 * Claims as metadata, by the names that it is to have. Lists are joined by commas, objects are JSON. What metadata cannot
 * carry is percent-encoded, and so is `%`; under a name that ends in `-bin` the text goes as its UTF-8 bytes.
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

/** Spaces at the ends would be lost on the way. */
function escaped(text: string): string {
  return text
    .toWellFormed()
    .replace(/^ +| +$|[^\x20-\x7e]+|%/g, (part) =>
      Array.from(Buffer.from(part, 'utf8'), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
    );
}
