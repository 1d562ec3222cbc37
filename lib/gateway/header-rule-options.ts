/** `header_rules`: which headers services get from clients, and clients from services, by RPC. */
import { checkCommands } from '../commands.js';
import { connectionHeaders, isHeaderName, isHeaderValue } from '../headers.js';
import { isDerivedByProxy } from '../metadata/index.js';
import {
  checkedText,
  converted,
  field,
  type Kind,
  type KindValue,
  listOf,
  mapOf,
  oneOrMany,
  OptionError,
  record,
  requiredField,
  shown,
} from '../options/index.js';
import { forwardedClaims, rpcSelector } from '../policy/index.js';

/** What belongs to HTTP, to gRPC or to the proxy, in either direction. */
const ownNames: ReadonlySet<string> = new Set([
  ...connectionHeaders,
  ...['proxy-authenticate', 'proxy-authorization', 'host', 'date', 'expect', 'accept-encoding'],
  ...['content-length', 'content-type', 'content-encoding'],
  ...['x-request-id', 'traceparent', 'tracestate', 'x-http-code'],
]);

/** True for names that no rule changes: they say how a message is sent, or are what the proxy itself says. */
export function isReserved(name: string): boolean {
  return ownNames.has(name) || name.startsWith('grpc-') || isDerivedByProxy(name);
}

/** @throws OptionError */
function nameOf(text: string): string {
  const name = text.toLowerCase();
  const bare = name.endsWith('*') ? name.slice(0, -1) : name;
  if (isReserved(bare)) {
    throw new OptionError(
      `${shown(text)} is written by photongate or by HTTP itself; no rule changes it`,
      'config-type',
    );
  }
  if (/^[0-9a-z_.-]+$/.test(bare) && isHeaderName(bare)) return name;
  throw new OptionError(`found ${shown(text)}, expected a header name such as x-tenant`, 'config-type');
}

const pattern = checkedText({
  placeholder: 'NAME',
  description: 'a header name such as x-tenant, or x-acme-* for all that begin so',
  code: 'config-type',
  convert: nameOf,
});

const newName = checkedText({
  placeholder: 'NAME',
  description: 'a header name such as x-tenant',
  code: 'config-type',
  convert: (text) => (text.endsWith('*') ? undefined : nameOf(text)),
});

const value = checkedText({
  placeholder: 'TEXT',
  description: 'a printable text of ASCII, which may have commands such as %REQ(x-user)%',
  code: 'config-type',
  convert(text) {
    if (!isHeaderValue(text) || !/^[\x20-\x7e]{1,4096}$/.test(text)) return undefined;
    checkCommands(text);
    return text;
  },
});

/** Names → values. Both are checked; a name is not written twice. */
function byName(
  kind: Kind<string, string>,
  example: string,
  check: (name: string, value: string) => string | undefined,
) {
  return converted(mapOf(kind, `expected a map such as ${example}`), {
    read(entries, _node, reader): ReadonlyMap<string, string> {
      const found = new Map<string, string>();
      for (const { name: text, place, value: given } of entries) {
        reader.attempt(text, place, () => {
          const name = nameOf(text);
          const problem = name.endsWith('*') ? 'a whole name stands here, without *' : check(name, given);
          if (problem !== undefined) throw new OptionError(`${shown(text)}: ${problem}`, 'config-type');
          if (found.has(name)) throw new OptionError(`${shown(name)} is there twice`, 'config-type');
          found.set(name, given);
        });
      }
      return found;
    },
    print: (map) => [...map].map(([name, text]) => ({ name, place: undefined, value: text })),
  });
}

const isBinary = (name: string): boolean => name.endsWith('-bin');

const values = byName(value, '{ x-tenant: acme }', (name) =>
  isBinary(name) ? 'a name that ends in -bin has bytes, which no text here can be' : undefined,
);

const renamed = byName(newName, '{ x-old: x-new }', (name, to) =>
  isBinary(name) === isBinary(to) ? undefined : 'both names end in -bin, or neither does',
);

const common = {
  allow: field(oneOrMany(pattern), 'the only headers that pass; x-acme-* is all that begin so. Default: all'),
  deny: field(oneOrMany(pattern), 'headers that do not pass'),
  rename: field(renamed, 'headers → the names that they pass under, in the place of what had these names'),
  append: field(values, 'headers → values that are added'),
  set: field(values, 'headers → values, in the place of what had these names'),
};

const request = record({
  fields: {
    ...common,
    set_from_claims: field(
      forwardedClaims,
      'claims of the token → headers; clients cannot set these, whether or not the token has the claim',
    ),
  },
  about: '"request"',
  prefix: 'request.',
  expected: '"request" is a map such as { deny: [x-internal-*], set: { x-tenant: acme } }',
});

const response = record({
  fields: common,
  about: '"response"',
  prefix: 'response.',
  expected: '"response" is a map such as { deny: [x-internal-*] }',
});

const rule = record({
  fields: {
    selector: requiredField(rpcSelector, 'the RPCs', 'a rule of "header_rules" has a selector, such as pkg.Service.*'),
    request: field(request, 'what services get'),
    response: field(response, 'what clients get'),
  },
  about: 'a rule of "header_rules"',
  expected: 'a rule is a map such as { selector: pkg.*, request: { deny: [x-internal-*] } }',
});

/** In the order in which they apply. */
export const headerRulesKind = listOf(
  rule,
  '"header_rules" is a list of rules such as { selector: pkg.*, request: { deny: [x-internal-*] } }',
);

export type HeaderRuleSettings = KindValue<typeof rule>;
/** Of one direction. */
export type HeaderDirection = KindValue<typeof request>;
