/** Paths in one form, before anything looks at them: dot segments, double slashes, escaped slashes. */
import type { Exchange } from '../exchange.js';
import { StatusError } from '../status.js';
import { isUnreserved, splitTarget } from '../uri.js';
import { DelegateExchange } from './delegate-exchange.js';
import type { GatewayOptions } from './options.js';

type PathOptions = Pick<GatewayOptions, 'normalizePath' | 'mergeSlashes' | 'pathWithEscapedSlashesAction'>;

/** A target in one form, or where the client is to ask instead. */
export interface NormalTarget {
  readonly target: string;
  readonly isRedirect: boolean;
}

/**
 * Takes a target in origin form, below the prefix of its mount.
 * @throws StatusError 400 for an escaped slash, if these are refused
 */
export type TargetNormalizer = (target: string) => NormalTarget;

/** Undefined if paths stay as they are. */
export function compileNormalizer(options: PathOptions): TargetNormalizer | undefined {
  const { normalizePath, mergeSlashes, pathWithEscapedSlashesAction: escaped } = options;
  if (!normalizePath && !mergeSlashes && escaped === 'keep_unchanged') return undefined;
  return (target) => {
    const { path, query } = splitTarget(target);
    if (!path.startsWith('/')) return { target, isRedirect: false };
    const plain = withoutEscapes(path, escaped);
    const normal = normalizePath ? withoutDots(plain) : plain;
    const merged = mergeSlashes ? normal.replace(/\/{2,}/g, '/') : normal;
    const isRedirect = plain !== path && escaped === 'unescape_and_redirect';
    return { target: query === undefined ? merged : `${merged}?${query}`, isRedirect };
  };
}

function withoutEscapes(path: string, action: PathOptions['pathWithEscapedSlashesAction']): string {
  if (action === 'keep_unchanged' || !/%(?:2f|5c)/i.test(path)) return path;
  if (action === 'reject_request') {
    throw StatusError.http(400, 'the path has an escaped slash, %2F or %5C, which is refused here');
  }
  return path.replace(/%2f/gi, '/').replace(/%5c/gi, '\\');
}

/** RFC 3986, section 6.2.2, and backslashes as browsers read them. */
function withoutDots(path: string): string {
  const decoded = path
    .replace(/%([0-9a-f]{2})/gi, (escape, hex: string) => {
      const char = parseInt(hex, 16);
      return isUnreserved(char) ? String.fromCharCode(char) : escape;
    })
    .replaceAll('\\', '/');
  const kept: string[] = [];
  const segments = decoded.split('/').slice(1);
  for (const [index, segment] of segments.entries()) {
    const isLast = index === segments.length - 1;
    if (segment === '..') kept.pop();
    if (segment !== '..' && segment !== '.') kept.push(segment);
    else if (isLast) kept.push('');
  }
  return `/${kept.join('/')}`;
}

/**
 * A path as the `location` of a redirect. Browsers take two slashes at its start, of either kind, for another host: `/.`
 * before them is the same path.
 */
export function locationOf(path: string): string {
  return /^\/[/\\]/.test(path) ? `/.${path}` : path;
}

/** An exchange that asks for another target. */
export class NormalizedExchange extends DelegateExchange {
  override readonly target: string;

  constructor(inner: Exchange, target: string) {
    super(inner);
    this.target = target;
  }
}
