/** The filter `jwt`: which requests need which tokens, by path, host and headers, as Envoy's `jwt_authn` decides it. */
import {
  booleanValue,
  checkedText,
  field,
  integerValue,
  type Kind,
  type KindValue,
  lineValue,
  listOf,
  mapOf,
  type MapEntry,
  OptionError,
  oneOrMany,
  record,
  requiredField,
} from '../options/index.js';
import { isHeaderName } from '../headers.js';
import { noKeys, providerFields } from '../policy/index.js';
import { anyText, changedHeader, headerName, match, text } from './match-options.js';

const placeRecord = record({
  fields: {
    name: requiredField(headerName, 'its name', 'a place of tokens has a name'),
    prefix: field(anyText, 'what stands before the token'),
  },
  about: 'a header with a token',
  expected: 'a header with a token is a map such as { name: authorization, prefix: "Bearer " }',
});

const cookieName = checkedText({
  placeholder: 'NAME',
  description: 'the name of a cookie',
  code: 'config-type',
  convert: (name) => (isHeaderName(name) ? name : undefined),
});

const provider = record({
  fields: {
    ...providerFields,
    jwks: { ...providerFields.jwks, required: noKeys().message },
    jwks_cluster: field(text, 'the cluster that the keys are fetched from. Default: the host of their URL'),
    require_expiration: field(booleanValue, 'a token without exp is refused. Default: false'),
    headers: field(listOf(placeRecord, '"headers" is a list of { name, prefix }'), 'headers that may hold a token'),
    query_parameters: field(oneOrMany(text), 'query parameters that may hold a token'),
    cookies: field(oneOrMany(cookieName), 'cookies that may hold a token'),
    forward_token: field(booleanValue, 'services get the token, too. Default: false'),
    expire_streams: field(booleanValue, 'streams end when their token expires. Default: false'),
    payload_header: field(changedHeader, 'services get the payload of the token in it, in base64url'),
    pad_payload: field(booleanValue, 'that base64url has padding. Default: false'),
    claim_headers: field(
      mapOf(text, '"claim_headers" is a map of headers to claims, such as { x-user: sub }'),
      'headers for services → claims',
    ),
    max_tokens: field(integerValue(1, 100), 'tokens that a request may have for it; all must be good. Default: 10'),
  },
  about: 'a provider',
  expected: (name) => `the provider ${name} is a map such as { issuer: NAME, jwks: URL }`,
  check({ claimHeaders = [] }) {
    for (const { name } of claimHeaders) changedHeader.read(name);
  },
});

/** What tokens a request needs; one member, and `audiences` beside `provider`. */
export interface Requirement {
  readonly provider?: string;
  readonly audiences?: readonly string[];
  readonly any?: readonly Requirement[];
  readonly all?: readonly Requirement[];
  /** A token of any provider must be good, if there is one. */
  readonly allowMissing?: boolean;
  /** Tokens are checked, and what services are told of them is set if they are good; nothing is refused. */
  readonly allowMissingOrFailed?: boolean;
}

/** Requirements are within requirements. */
const requirement: Kind<Requirement> = {
  unit: '',
  jsonSchema: { type: 'object' },
  readNode: (node, reader) => requirementRecord.readNode(node, reader),
  print: (value) => requirementRecord.print(value),
};

const requirements = listOf(requirement, 'it is a list of requirements');

const requirementRecord = record({
  fields: {
    provider: field(text, 'a token of this provider'),
    audiences: field(
      oneOrMany(lineValue('an audience, one of which "aud" names: ', 'config-type')),
      'with provider: in the place of its audiences',
    ),
    any: field(requirements, 'one of them is enough'),
    all: field(requirements, 'all of them are needed'),
    allow_missing: field(booleanValue, 'true: a token must be good, if there is one'),
    allow_missing_or_failed: field(booleanValue, 'true: nothing is refused'),
  },
  about: 'a requirement',
  expected: 'a requirement is a map such as { provider: NAME }',
  check({ audiences, ...others }) {
    const given = Object.values(others).filter((one) => one !== false).length;
    if (given !== 1) throw new OptionError(`a requirement has one member; found ${given}`, 'config-type');
    if (audiences !== undefined && others.provider === undefined) {
      throw new OptionError('"audiences" stands beside a provider', 'config-type');
    }
  },
});

const rule = record({
  fields: {
    match: requiredField(match, 'which requests', 'a rule has a match'),
    requires: field(requirement, 'what they need. Default: nothing'),
    requirement: field(text, 'what they need, by its name in "requirements"'),
  },
  about: 'a rule',
  expected: 'a rule is a map such as { match: { prefix: /v1 }, requires: { provider: NAME } }',
  check({ requires, requirement: name }) {
    if (requires !== undefined && name !== undefined) {
      throw new OptionError('a rule has requires or requirement, not both', 'config-type');
    }
  },
});

/** The member `jwt` of a filter. */
export const jwtFilter = record({
  fields: {
    providers: requiredField(
      mapOf(provider, '"providers" is a map of names, each with a "jwks"'),
      'issuers of tokens by name',
      'it has no "providers": a map of names, each with a "jwks"',
    ),
    rules: field(listOf(rule, '"rules" is a list'), 'the first that matches counts; others need no token'),
    requirements: field(
      mapOf(requirement, '"requirements" is a map of names'),
      'requirements by name, for rules and routes',
    ),
    bypass_cors_preflight: field(booleanValue, 'preflights need no token. Default: false'),
    strip_failure_response: field(booleanValue, 'refusals do not say why. Default: false'),
    max_token_bytes: field(integerValue(1, 1024 ** 2), 'longest token. Default: 16384'),
  },
  about: '"jwt"',
  expected: '"jwt" is a map such as { providers: { idp: { jwks: URL } }, rules: [ … ] }',
  check({ providers, rules = [], requirements: named = [] }) {
    const known = providers.map(({ name }) => name);
    const all = [...rules.flatMap(({ requires }) => requires ?? []), ...named.map(({ value }) => value)];
    for (const name of all.flatMap(providersIn)) {
      if (!known.includes(name)) {
        const message = `a requirement names the provider ${JSON.stringify(name)}; providers are: ${known.join(', ')}`;
        throw new OptionError(message, 'config-type');
      }
    }
    for (const name of rules.flatMap((one) => one.requirement ?? [])) requirementNamed(name, named);
  },
});

function providersIn({ provider: name, any = [], all = [] }: Requirement): string[] {
  return [...(name === undefined ? [] : [name]), ...[...any, ...all].flatMap(providersIn)];
}

/** @throws OptionError */
export function requirementNamed(name: string, named: readonly MapEntry<Requirement>[]): Requirement {
  const found = named.find((one) => one.name === name);
  if (found !== undefined) return found.value;
  const known = named.map((one) => one.name).join(', ') || 'none';
  throw new OptionError(
    `there is no requirement of the name ${JSON.stringify(name)}; requirements are: ${known}`,
    'config-type',
  );
}

export type JwtFilterSettings = KindValue<typeof jwtFilter>;
export type JwtProviderOfFilter = JwtFilterSettings['providers'][number]['value'];
