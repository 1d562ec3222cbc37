/**
 * The formats of strings that protovalidate names: `email`, `hostname`, `ip`, `uri` and so on, as its functions `isEmail`, `isIp` … define
 * them. All patterns are matched in linear time: what repeats in them is either bounded or starts with a character that ends what is
 * before it.
 */
import { isIPv6 } from 'node:net';

const EMAIL = /^[\w.!#$%&'*+/=?^`{|}~-]+@[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?(?:\.[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?)*$/i;

/** An address as HTML's `<input type=email>` takes it; not all of RFC 5322. */
export function isEmail(text: string): boolean {
  return EMAIL.test(text);
}

const LABEL = /^[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?$/i;

/** Labels of letters, digits and inner hyphens; the last one has something else than digits. One dot may follow. */
export function isHostname(text: string): boolean {
  if (text.length > 253) return false;
  const labels = (text.endsWith('.') ? text.slice(0, -1) : text).split('.');
  return labels.every((label) => LABEL.test(label)) && !/^\d+$/.test(labels.at(-1) ?? '');
}

const OCTET = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);

const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i;

/** A UUID of any version, with hyphens. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/** The versions of IP; 0 for both. */
export type IpVersion = 0 | 4 | 6;

/** An address; for version 6 a zone may follow: `fe80::1%eth0`. */
export function isIp(text: string, version: IpVersion = 0): boolean {
  return (version !== 6 && IPV4.test(text)) || (version !== 4 && isIpv6(text));
}

function isIpv6(text: string): boolean {
  const zone = text.indexOf('%');
  if (zone < 0) return isIPv6(text);
  return zone < text.length - 1 && isIPv6(text.slice(0, zone));
}

/**
 * An address with a prefix length: `10.0.0.0/8`.
 * @param strict true: all bits behind the prefix are 0
 */
export function isIpPrefix(text: string, version: IpVersion = 0, strict = false): boolean {
  const [, address = '', digits = ''] = /^([^/%]*)\/(0|[1-9]\d{0,2})$/.exec(text) ?? [];
  const isV4 = version !== 6 && IPV4.test(address);
  if (!isV4 && (version === 4 || !isIPv6(address))) return false;
  const bits = isV4 ? 32 : 128;
  const length = Number(digits);
  if (length > bits) return false;
  return !strict || BigInt.asUintN(bits - length, isV4 ? bitsOfIpv4(address) : bitsOfIpv6(address)) === 0n;
}

function bitsOfIpv4(address: string): bigint {
  return address.split('.').reduce((bits, octet) => (bits << 8n) | BigInt(octet), 0n);
}

function bitsOfIpv6(address: string): bigint {
  const dotted = address.includes('.') ? address.slice(address.lastIndexOf(':') + 1) : undefined;
  const low = dotted === undefined ? undefined : bitsOfIpv4(dotted);
  const whole =
    low === undefined
      ? address
      : `${address.slice(0, address.lastIndexOf(':') + 1)}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`;
  const [head = '', tail] = whole.split('::');
  const before = piecesOf(head);
  const after = piecesOf(tail ?? '');
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0');
  return [...before, ...zeros, ...after].reduce((bits, piece) => (bits << 16n) | BigInt(`0x${piece}`), 0n);
}

function piecesOf(text: string): string[] {
  return text === '' ? [] : text.split(':');
}

/** `host:port` or `[ipv6]:port`. @param portRequired false: the port may be left out */
export function isHostAndPort(text: string, portRequired: boolean): boolean {
  if (text.startsWith('[')) {
    const end = text.lastIndexOf(']');
    if (end < 0 || !isIp(text.slice(1, end), 6)) return false;
    const rest = text.slice(end + 1);
    return rest === '' ? !portRequired : rest.startsWith(':') && isPort(rest.slice(1));
  }
  const colon = text.lastIndexOf(':');
  const host = colon < 0 ? text : text.slice(0, colon);
  if (colon < 0 ? portRequired : !isPort(text.slice(colon + 1))) return false;
  return isHostname(host) || isIp(host, 4);
}

function isPort(text: string): boolean {
  return /^(?:0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535;
}

/** The parts of a URI reference (RFC 3986, appendix B). */
const URI_PARTS = /^(?:([^:/?#]+):)?(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s;
const SCHEME = /^[a-z][a-z\d+.-]*$/i;
const USERINFO = /^(?:[\w.~!$&'()*+,;=:-]|%[\da-f]{2})*$/i;
const REG_NAME = /^(?:[\w.~!$&'()*+,;=-]|%[\da-f]{2})*$/i;
const PATH = /^(?:[\w.~!$&'()*+,;=:@/-]|%[\da-f]{2})*$/i;
const QUERY = /^(?:[\w.~!$&'()*+,;=:@/?-]|%[\da-f]{2})*$/i;
const FUTURE_IP = /^v[\da-f]+\.[\w.~!$&'()*+,;=:-]+$/i;
const ZONE = /^(?:[\w.~-]|%[\da-f]{2})+$/i;

/** A URI with its scheme (RFC 3986). */
export function isUri(text: string): boolean {
  return hasUriParts(text, true);
}

/** A URI, or a reference that is relative to one (RFC 3986). */
export function isUriRef(text: string): boolean {
  return hasUriParts(text, false);
}

function hasUriParts(text: string, needsScheme: boolean): boolean {
  const [, scheme, authority, path = '', query = '', fragment = ''] = URI_PARTS.exec(text) ?? [];
  if (scheme === undefined ? needsScheme : !SCHEME.test(scheme)) return false;
  if (authority !== undefined && !isAuthority(authority)) return false;
  // Without a scheme, a colon in the first segment would end one.
  if (scheme === undefined && authority === undefined && /^[^/]*:/.test(path)) return false;
  return PATH.test(path) && QUERY.test(query) && QUERY.test(fragment);
}

function isAuthority(text: string): boolean {
  const at = text.indexOf('@');
  if (at >= 0 && !USERINFO.test(text.slice(0, at))) return false;
  const place = text.slice(at + 1);
  const bracket = place.startsWith('[') ? place.lastIndexOf(']') : -1;
  const colon = place.indexOf(':', bracket + 1);
  const host = colon < 0 ? place : place.slice(0, colon);
  if (colon >= 0 && !/^\d*$/.test(place.slice(colon + 1))) return false;
  return host.startsWith('[') ? isIpLiteral(host) && isUtf8(host) : REG_NAME.test(host) && isUtf8(host);
}

function isIpLiteral(host: string): boolean {
  if (!host.endsWith(']')) return false;
  const address = host.slice(1, -1);
  // A zone needs its escape here; Node's test would take any.
  if (!address.includes('%') && isIPv6(address)) return true;
  const zone = address.indexOf('%25');
  if (zone >= 0 && zone === address.indexOf('%'))
    return isIPv6(address.slice(0, zone)) && ZONE.test(address.slice(zone + 3));
  return FUTURE_IP.test(address);
}

/** Escapes in a host are those of UTF-8 (RFC 3986, 3.2.2). */
function isUtf8(host: string): boolean {
  if (!host.includes('%')) return true;
  try {
    decodeURIComponent(host);
    return true;
  } catch {
    return false;
  }
}

const NAME = '[A-Za-z_]\\w*(?:\\.[A-Za-z_]\\w*)*';

/** A format and what is told of a value that does not have it: `must be a valid …`. */
export interface Format {
  readonly what: string;
  /** What an empty value is told not to be, if that is told apart. */
  readonly emptyWhat?: string;
  readonly test: (text: string) => boolean;
}

const matches =
  (pattern: RegExp) =>
  (text: string): boolean =>
    pattern.test(text);

/** The formats of `StringRules` by the names of their rules. */
export const stringFormats: ReadonlyMap<string, Format> = new Map(
  Object.entries<[what: string, test: (text: string) => boolean, emptyWhat?: string | null]>({
    email: ['email address', isEmail],
    hostname: ['hostname', isHostname],
    ip: ['IP address', (text) => isIp(text)],
    ipv4: ['IPv4 address', (text) => isIp(text, 4)],
    ipv6: ['IPv6 address', (text) => isIp(text, 6)],
    uri: ['URI', isUri],
    uri_ref: ['URI Reference', isUriRef, null],
    address: ['hostname, or ip address', (text) => isHostname(text) || isIp(text)],
    uuid: ['UUID', isUuid],
    tuuid: ['trimmed UUID', matches(/^[\da-f]{32}$/i)],
    ip_with_prefixlen: ['IP prefix', (text) => isIpPrefix(text)],
    ipv4_with_prefixlen: ['IPv4 address with prefix length', (text) => isIpPrefix(text, 4)],
    ipv6_with_prefixlen: ['IPv6 address with prefix length', (text) => isIpPrefix(text, 6)],
    ip_prefix: ['IP prefix', (text) => isIpPrefix(text, 0, true)],
    ipv4_prefix: ['IPv4 prefix', (text) => isIpPrefix(text, 4, true)],
    ipv6_prefix: ['IPv6 prefix', (text) => isIpPrefix(text, 6, true)],
    host_and_port: [
      'host (hostname or IP address) and port pair',
      (text) => isHostAndPort(text, true),
      'host and port pair',
    ],
    ulid: ['ULID', matches(/^[0-7][\dA-HJKMNP-TV-Za-hjkmnp-tv-z]{25}$/)],
    protobuf_fqn: ['fully-qualified Protobuf name', matches(new RegExp(`^${NAME}$`))],
    protobuf_dot_fqn: ['fully-qualified Protobuf name with a leading dot', matches(new RegExp(`^\\.${NAME}$`))],
  }).map(([name, [what, test, emptyWhat]]) => [
    name,
    { what, test, ...(emptyWhat === null ? {} : { emptyWhat: emptyWhat ?? what }) },
  ]),
);

/** True for a name of an HTTP header; `:authority` and the like too. @param strict false: anything but NUL and line ends */
export function isHeaderName(text: string, strict: boolean): boolean {
  return strict ? /^:?[\w!#$%&'*+\-.^|~`,]+$/.test(text) : /^[^\0\n\r]+$/.test(text);
}

/** True for a value of an HTTP header. @param strict false: anything but NUL and line ends */
export function isHeaderValue(text: string, strict: boolean): boolean {
  return strict ? /^[^\0-\x08\n-\x1f\x7f]*$/.test(text) : /^[^\0\n\r]*$/.test(text);
}
