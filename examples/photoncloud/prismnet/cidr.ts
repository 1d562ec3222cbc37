/**
 * IP addresses and blocks of them as numbers, IPv4 and IPv6 alike, and their one canonical text (RFC 5952 for IPv6).
 */
import { isIPv4, isIPv6, SocketAddress } from 'node:net';

/** An address; `::ffff:10.0.0.1` is an IPv6 one. */
export interface Address {
  readonly version: 4 | 6;
  readonly value: bigint;
}

/** A block of addresses. */
export interface Block {
  readonly version: 4 | 6;
  readonly prefixLength: number;
  readonly first: bigint;
  readonly last: bigint;
}

/** Reads an address in any spelling; undefined if it is none. */
export function parseAddress(text: string): Address | undefined {
  if (isIPv4(text)) return { version: 4, value: groupsValue(text.split('.'), 10, 8) };
  if (!isIPv6(text) || text.includes('%')) return undefined;
  return { version: 6, value: groupsValue(expanded(canonicalIPv6(text)), 16, 16) };
}

/** The canonical text of an address. */
export function addressText({ version, value }: Address): string {
  if (version === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join('.');
  const groups = Array.from({ length: 8 }, (_, index) => (value >> BigInt(112 - 16 * index)) & 0xffffn);
  return canonicalIPv6(groups.map((group) => group.toString(16)).join(':'));
}

/** Reads a block, whose address may be any of it; undefined if it is none. */
export function parseBlock(text: string): Block | undefined {
  const parts = /^(?<address>[0-9A-Fa-f:.]+)\/(?<length>0|[1-9][0-9]{0,2})$/.exec(text)?.groups;
  const address = parts && parseAddress(parts['address']!);
  if (address === undefined) return undefined;
  const bits = bitsOf(address.version);
  const prefixLength = Number(parts!['length']);
  if (prefixLength > bits) return undefined;
  const hosts = (1n << BigInt(bits - prefixLength)) - 1n;
  return { version: address.version, prefixLength, first: address.value & ~hosts, last: address.value | hosts };
}

/** The canonical text of a block. */
export function blockText(block: Block): string {
  return `${addressText({ version: block.version, value: block.first })}/${block.prefixLength}`;
}

/** Whether all of `inner` lies in `outer`. */
export function contains(outer: Block, inner: Block): boolean {
  return outer.version === inner.version && outer.first <= inner.first && inner.last <= outer.last;
}

/**
 * The addresses of a block that a host may have. IPv4 keeps the first for the network and the last for broadcast, IPv6
 * the first for the routers of the subnet; blocks of one or two addresses keep none (RFC 3021, RFC 6164).
 */
export function usable({ version, prefixLength, first, last }: Block): { first: bigint; last: bigint } {
  if (prefixLength >= bitsOf(version) - 1) return { first, last };
  return { first: first + 1n, last: version === 4 ? last - 1n : last };
}

/** 16 bytes that sort as addresses do. */
export function sortKey(value: bigint): Buffer {
  return Buffer.from(value.toString(16).padStart(32, '0'), 'hex');
}

function bitsOf(version: 4 | 6): number {
  return version === 4 ? 32 : 128;
}

/** Node writes it as RFC 5952 asks, an IPv4 tail of mapped addresses included. */
function canonicalIPv6(text: string): string {
  return new SocketAddress({ family: 'ipv6', address: text }).address;
}

/** The eight groups of a canonical IPv6 address. */
function expanded(text: string): string[] {
  const hex = text.replace(/(?<a>\d+)\.(?<b>\d+)\.(?<c>\d+)\.(?<d>\d+)$/, (_, ...found: string[]) => {
    const [a, b, c, d] = found.slice(0, 4).map(Number) as [number, number, number, number];
    return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  });
  const [head = '', tail] = hex.split('::');
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'));
  if (tail === undefined) return groups(head);
  const [before, after] = [groups(head), groups(tail)];
  return [...before, ...Array<string>(8 - before.length - after.length).fill('0'), ...after];
}

function groupsValue(groups: readonly string[], radix: number, bits: number): bigint {
  return groups.reduce((value, group) => (value << BigInt(bits)) | BigInt(parseInt(group, radix)), 0n);
}
