/** `policies: { addresses: … }`: which addresses may send requests. */
import { addressTest, isTrustedProxy } from '../metadata/index.js';
import { field, type GivenOf, namesValue, OptionError, record } from '../options/index.js';
import { StatusError } from '../status.js';
import type { Policy } from './policy.js';

/** Each request is compared with all of them. */
const MAX_BLOCKS = 1000;

const blocks = namesValue(
  'addresses and blocks of them, such as 127.0.0.1, 10.0.0.0/8 or fd00::/8, or unix',
  isTrustedProxy,
);

const addressFields = {
  allow: field(blocks, 'addresses whose requests are let through. Default: all'),
  deny: field(blocks, 'addresses whose requests are refused, of those that are allowed'),
};

/** The lists that were given. */
export type AddressOptions = GivenOf<typeof addressFields>;

/** The kind of `policies.addresses`. */
export const addressesKind = record({
  fields: addressFields,
  about: '"addresses"',
  expected: '"addresses" is false or a map such as { allow: [10.0.0.0/8] }',
  check({ allow, deny }, { members }) {
    // An empty list would be read as "all" by one and as "none" by another.
    if (members.length === 0 || (allow ?? deny)?.length === 0) {
      throw new OptionError('"addresses" has an address in allow or deny; write false for no list', 'config-type');
    }
    const count = Math.max(allow?.length ?? 0, deny?.length ?? 0);
    if (count <= MAX_BLOCKS) return;
    throw new OptionError(`a list has ${count} addresses and blocks, expected at most ${MAX_BLOCKS}`, 'config-type');
  },
});

/**
 * Refuses (403) requests of addresses that are denied, or not allowed. `deny` goes before `allow`. The address is the client's
 * by `trusted_proxies`; one that nobody knows is not allowed. What the client reads does not name the address, as it may be
 * that of a proxy within.
 */
export function addressPolicy({ allow, deny = [] }: AddressOptions): Policy {
  const isDenied = addressTest(deny);
  const isAllowed = allow === undefined ? () => true : addressTest(allow);
  return {
    name: 'addresses',
    onRequest({ caller: { address } }) {
      if (isDenied(address)) throw refusal('deny');
      if (!isAllowed(address)) throw refusal('allow');
    },
  };
}

function refusal(list: keyof AddressOptions): StatusError {
  return StatusError.http(403, `requests from your address are not allowed (policies.addresses.${list})`, {
    refusedBy: 'addresses',
  });
}
