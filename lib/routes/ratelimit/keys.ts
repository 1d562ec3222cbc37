/** Whose requests are counted together: a request → the text by which its bucket is found. */
import { createHash } from 'node:crypto';
import { headerValues } from '../../headers.js';
import { plainAddress } from '../../metadata/index.js';
import { claimOf } from '../../policy/index.js';
import type { FilteredRequest } from '../filter.js';
import type { Descriptor } from './messages.js';

/** What of a request makes a key. */
export type KeyedRequest = Pick<FilteredRequest, 'address' | 'headers' | 'claims' | 'rpc' | 'route'>;

/** The value of a part; undefined if the request has none. */
type KeyPart = (request: KeyedRequest) => string | undefined;

/** Longer values are kept as their hash, so that a bucket takes the same memory whatever a client sends. */
const LONGEST_VALUE = 64;

/** @param part as in `key` of a limit */
function compileKeyPart(part: string): KeyPart {
  const colon = part.indexOf(':');
  const name = part.slice(colon + 1);
  switch (colon < 0 ? part : part.slice(0, colon)) {
    case 'address':
      return ({ address }) => clientNetwork(address);
    case 'rpc':
      return (request) => request.rpc();
    case 'route':
      return (request) => request.route();
    case 'header':
      return ({ headers }) => headerValues(headers, name).join(',') || undefined;
    default:
      return ({ claims }) => claimText(claimOf(claims, name));
  }
}

/**
 * The key of a request. If it has no such header or claim it is counted by its address, as leaving a header out is no way
 * past a limit.
 * @param parts as in `key` of a limit; none: all requests have one key
 */
export function compileKey(parts: readonly string[]): (request: KeyedRequest) => string {
  const compiled = parts.map(compileKeyPart);
  const textOf = (part: KeyPart, request: KeyedRequest): string => {
    const value = part(request);
    return value === undefined ? `address ${clientNetwork(request.address)}` : `=${short(value)}`;
  };
  const [first, ...others] = compiled;
  if (first === undefined) return () => '';
  if (others.length === 0) return (request) => textOf(first, request);
  return (request) => JSON.stringify(compiled.map((part) => textOf(part, request)));
}

/**
 * What a service is told of a request: the name of the limit, and then the parts of its key by their names. As in a key, the
 * address stands for what a request does not have.
 */
export function compileDescriptor(limit: string, parts: readonly string[]): (request: KeyedRequest) => Descriptor {
  const compiled = parts.map((part) => ({ key: descriptorKey(part), valueOf: compileKeyPart(part) }));
  const first = { key: 'generic_key', value: limit };
  return (request) => ({
    entries: [
      first,
      ...compiled.map(({ key, valueOf }) => {
        const value = valueOf(request);
        return value === undefined ? { key: ADDRESS_KEY, value: clientNetwork(request.address) } : { key, value };
      }),
    ],
  });
}

const ADDRESS_KEY = 'remote_address';

/** `header:x-api-key` is `x-api-key`. */
function descriptorKey(part: string): string {
  return part === 'address' ? ADDRESS_KEY : part.slice(part.indexOf(':') + 1);
}

/** An IPv4 address, or the /64 of an IPv6 address: a host has all addresses of that. */
export function clientNetwork(address: string): string {
  const plain = address.includes(':') ? (plainAddress(address) ?? address) : address;
  if (!plain.includes(':')) return plain;
  const [head = '', tail] = plain.split('::').map((part) => (part === '' ? [] : part.split(':')));
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - head.length - tail.length);
  return `${[...head, ...Array<string>(zeros).fill('0'), ...(tail ?? [])].slice(0, 4).join(':')}::/64`;
}

function short(value: string): string {
  return value.length <= LONGEST_VALUE ? value : createHash('sha256').update(value).digest('base64');
}

function claimText(value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  return typeof value === 'string' ? value : JSON.stringify(value);
}
