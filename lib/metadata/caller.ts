/**
 * The address of the client, from the connection and from the headers of trusted proxies. The one owner of
 * `trusted_proxies`. Headers of untrusted peers are ignored.
 */
import { BlockList, isIP, isIPv6, SocketAddress } from 'node:net';
import type { Caller, Exchange } from '../exchange.js';
import { header, headerValues, type HeaderFields, printable } from '../headers.js';

/** Which proxies in front of this one are trusted. */
export interface CallerOptions {
  /** Addresses, CIDR blocks, and `unix` for Unix sockets. */
  readonly trustedProxies: readonly string[];
}

/** Address of a peer that is connected by a Unix socket. */
const UNIX = 'unix';
/** Address of a peer that is not known. */
const UNKNOWN = 'unknown';

/** True for a valid entry of `trusted_proxies`. */
export function isTrustedProxy(text: string): boolean {
  return text === UNIX || blockOf(text) !== undefined;
}

interface Block {
  readonly address: string;
  readonly prefix: number;
  readonly family: 'ipv4' | 'ipv6';
}

/** A single address is a block of one. */
function blockOf(text: string): Block | undefined {
  const match = /^([0-9a-f.:]+)(?:\/(\d{1,3}))?$/i.exec(text);
  const version = isIP(match?.[1] ?? '');
  if (version === 0) return undefined;
  const bits = version === 4 ? 32 : 128;
  const prefix = Number(match![2] ?? bits);
  return prefix > bits ? undefined : { address: match![1]!, prefix, family: version === 4 ? 'ipv4' : 'ipv6' };
}

/** True for addresses within one of the blocks. */
export function addressTest(blocks: readonly string[]): (address: string) => boolean {
  const rules = new CallerRules({ trustedProxies: blocks });
  return (address) => rules.trusts(address);
}

/** Finds out who sent a request, by one set of trusted proxies. */
export class CallerRules {
  private readonly blocks = new BlockList();
  private readonly trustsUnix: boolean;
  private readonly trustsNobody: boolean;

  constructor({ trustedProxies }: CallerOptions) {
    this.trustsUnix = trustedProxies.includes(UNIX);
    this.trustsNobody = trustedProxies.length === 0;
    for (const { address, prefix, family } of trustedProxies.flatMap((text) => blockOf(text) ?? [])) {
      this.blocks.addSubnet(address, prefix, family);
    }
  }

  /** The sender of a request, and the headers that forward it to services. */
  callerOf({ peer: { address }, secure, headers }: Pick<Exchange, 'peer' | 'secure' | 'headers'>): Caller {
    const proto = secure ? 'https' : 'http';
    const host = header(headers, 'host');
    if (this.trustsNobody || !this.trusts(address)) {
      return { address: address === '' ? UNKNOWN : address, forwarded: forwardedFields(address, proto, host) };
    }
    const chain = headerValues(headers, 'x-forwarded-for');
    return {
      address: this.firstStranger(address, chain),
      forwarded: forwardedFields(
        [...chain.filter((line) => line.trim() !== ''), address].join(', '),
        given(headers, 'x-forwarded-proto') ?? proto,
        given(headers, 'x-forwarded-host') ?? host,
      ),
    };
  }

  /** True for the address of a proxy that is trusted. */
  trusts(address: string): boolean {
    if (address === UNIX) return this.trustsUnix;
    const plain = plainAddress(address);
    return plain !== undefined && this.blocks.check(plain, isIPv6(plain) ? 'ipv6' : 'ipv4');
  }

  /** Walks the chain backwards from the peer while the proxies are trusted. An unreadable address ends it as unknown. */
  private firstStranger(peer: string, chain: readonly string[]): string {
    const entries = chain
      .join(',')
      .split(',')
      .map((entry) => entry.trim())
      .filter((entry) => entry !== '');
    let address = peer;
    for (let index = entries.length - 1; index >= 0 && this.trusts(address); index--) {
      address = plainAddress(entries[index]!) ?? UNKNOWN;
    }
    return address;
  }
}

/** `x-forwarded-*` fields, for headers and for metadata: values are limited to what metadata can carry. */
function forwardedFields(addresses: string, proto: string, host: string | undefined): HeaderFields {
  const fields: string[] = [];
  // Nothing is invented for an unknown peer.
  if (addresses !== '' && addresses !== UNKNOWN) fields.push('x-forwarded-for', printable(addresses));
  fields.push('x-forwarded-proto', printable(proto));
  if (host !== undefined) fields.push('x-forwarded-host', printable(host));
  return fields;
}

/** A header of a trusted proxy; undefined if it is missing or empty. */
function given(headers: HeaderFields, name: string): string | undefined {
  const text = headerValues(headers, name).join(', ').trim();
  return text === '' ? undefined : text;
}

/**
 * The address of `1.2.3.4:80`, `[2001:db8::1]:80` or `"::1"` in one spelling; an IPv4-mapped IPv6 address becomes IPv4.
 * Undefined if the text is no address.
 */
export function plainAddress(text: string): string | undefined {
  if (text === UNIX) return UNIX;
  const match = /^"?(?:\[([^\]]+)\](?::\d+)?|([\d.]+)(?::\d+)?|([0-9a-f:.]+(?:%[\w.-]+)?))"?$/i.exec(text);
  const address = (match?.[1] ?? match?.[2] ?? match?.[3])?.replace(/%.*$/, '');
  if (address === undefined || isIP(address) === 0) return undefined;
  if (!isIPv6(address)) return address;
  return new SocketAddress({ address, family: 'ipv6' }).address.replace(/^::ffff:(?=\d+\.)/, '');
}
