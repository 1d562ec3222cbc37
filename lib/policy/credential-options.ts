/** What `policies.jwt` and `policies.api_keys` have in common: where a credential stands, and what RPCs require of it. */
import { connectionHeaders, isHeaderName } from '../headers.js';
import {
  checkedText,
  converted,
  leaf,
  type MapEntry,
  mapOf,
  oneOrMany,
  optional,
  OptionError,
  type Reader,
  shown,
} from '../options/index.js';
import type { SourcePlace } from '../status.js';
import type { RpcSelector } from './rpc-selector.js';

/** Headers that have another meaning. */
const unusableHeaders = new Set([...connectionHeaders, 'host', 'content-length', 'content-type']);

/** A request header that may hold a credential. */
export const headerName = checkedText({
  placeholder: 'NAME',
  description: 'the name of a request header, such as authorization',
  code: 'config-type',
  convert(text) {
    const name = text.toLowerCase();
    return isHeaderName(name) && !unusableHeaders.has(name) ? name : undefined;
  },
});

/** A query parameter that may. */
export const parameterName = optional(
  checkedText({
    placeholder: 'NAME',
    description: 'the name of a query parameter',
    code: 'config-type',
    convert: (text) => (/^[\w.~-]{1,100}$/.test(text) ? text : undefined),
  }),
  'none or the name of a query parameter, such as access_token',
);

/** What `realm` of `www-authenticate` may be. */
export const realmText = checkedText({
  placeholder: 'TEXT',
  description: 'ASCII without quotes and backslashes, at most 200 characters',
  code: 'config-type',
  convert: (text) => (/^[\x20-\x21\x23-\x5b\x5d-\x7e]{1,200}$/.test(text) ? text : undefined),
});

/** For each required claim the accepted values, of which the token must have one; an empty list removes the requirement. */
export type RequiredClaims = ReadonlyMap<string, readonly string[]>;

/** The claims that the RPCs of a selector require. */
export interface ClaimRule extends RpcSelector {
  readonly claims: RequiredClaims;
}

/** Texts, numbers and booleans are compared as texts. */
const claimValue = leaf<string, string | number | boolean>({
  description: 'the values of a claim, such as [admin, owner]',
  code: 'config-type',
  jsonSchema: { type: ['string', 'number', 'boolean'] },
  unit: '',
  print: (value) => value,
  convert: (raw) => (raw === null || typeof raw === 'object' ? undefined : String(raw)),
});

/** Selectors → claims → the values that are accepted. */
export const claimRules = converted(
  mapOf(
    mapOf(oneOrMany(claimValue), (name) => `what ${name} needs is a map of claims, such as { roles: [admin] }`),
    '"require" is a map of selectors, such as { pkg.Service.Method: { roles: [admin] } }',
  ),
  {
    read: (entries) =>
      entries.map(({ name, place, value }): ClaimRule => ({ selector: name, place, claims: mapFrom(value) })),
    print: (rules) => rules.map(({ selector: name, place, claims }) => ({ name, place, value: entriesOf(claims) })),
  },
);

/** Metadata that belongs to gRPC, to HTTP or to the proxy itself. */
const reserved = new Set([
  ...unusableHeaders,
  'authorization',
  'content-encoding',
  'expect',
  'traceparent',
  'tracestate',
  'user-agent',
  'x-request-id',
]);

const metadataExpected = 'a name of metadata such as x-user-id: letters, digits, - _ .';

const metadataName = checkedText({
  placeholder: 'NAME',
  description: metadataExpected,
  code: 'config-type',
  convert(text) {
    const name = text.toLowerCase();
    if (name.startsWith('grpc-') || reserved.has(name)) {
      const message = `found ${shown(text)}, which is not for claims, expected ${metadataExpected}`;
      throw new OptionError(message, 'config-type');
    }
    return /^[0-9a-z_.-]+$/.test(name) ? name : undefined;
  },
});

/** Claims → the metadata that services get. */
export const forwardedClaims = converted(
  mapOf(metadataName, '"forward_claims" is a map of claims to metadata, such as { sub: x-user-id }'),
  {
    read(entries, _node, reader) {
      for (const [index, { name, place, value }] of entries.entries()) {
        if (!entries.slice(0, index).some((other) => other.value === value)) continue;
        reader.attempt(name, place, () => {
          const message = `${shown(value)} is there for another claim; choose a name for each`;
          throw new OptionError(message, 'config-conflict');
        });
      }
      return mapFrom(entries);
    },
    print: entriesOf,
  },
);

/**
 * Reports selectors that stand under `except` and under `require`.
 * @param what is needed: token
 */
export function checkExcept(
  except: readonly RpcSelector[],
  require: readonly ClaimRule[],
  what: string,
  reader: Reader,
): void {
  for (const { selector: name, place } of require) {
    if (!except.some((other) => other.selector === name)) continue;
    const message = `${name} stands under "except", too, and needs no ${what} then; leave one of them out`;
    conflict(reader, ['require', name], place, message);
  }
}

/** Reports a contradiction under the path of a member. */
export function conflict(
  reader: Reader,
  [name = '', ...rest]: readonly string[],
  place: SourcePlace | undefined,
  message: string,
  code: 'config-conflict' | 'config-type' = 'config-conflict',
): void {
  reader.attempt(name, place, () => {
    if (rest.length > 0) conflict(reader, rest, place, message, code);
    else throw new OptionError(message, code);
  });
}

function mapFrom<T>(entries: readonly MapEntry<T>[]): ReadonlyMap<string, T> {
  return new Map(entries.map(({ name, value }) => [name, value]));
}

function entriesOf<T>(map: ReadonlyMap<string, T>): MapEntry<T>[] {
  return [...map].map(([name, value]) => ({ name, value, place: undefined }));
}
