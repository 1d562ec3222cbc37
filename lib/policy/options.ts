/** Options of policies. */
import { corsKind } from '../cors/index.js';
import {
  booleanValue,
  choicesValue,
  defaultsOf,
  hostNamesValue,
  namesValue,
  option,
  type OptionsOf,
  orFalse,
  sizeValue,
} from '../options/index.js';

import { addressesKind } from './addresses.js';
import { apiKeysKind } from './api-key-options.js';
import { jwtKind } from './jwt-options.js';

const mediaTypesValue = {
  ...namesValue('none, or media types, such as application/json', (name) => /^[\w.+-]+\/[\w.+-]+$/.test(name)),
  placeholder: 'TYPE,…',
};

/** Options of what happens before and around routing: origin and host checks, CORS, tokens, compression. */
export const policyOptions = {
  method_override: option(booleanValue, {
    default: false,
    presets: { google: true },
    why: "Google's Java clients send PATCH as POST with `X-HTTP-Method-Override`",
    group: 'requests',
    text: 'apply X-HTTP-Method-Override to POST requests',
  }),
  compression: option(choicesValue('gzip', 'br', 'zstd'), {
    default: [],
    group: 'answers',
    text: 'content codings for responses, the preferred one first; zstd if Node supports it',
    peers: 'Envoy filter `compressor`',
  }),
  compression_min_bytes: option(sizeValue(0, 2 ** 30), {
    default: 128,
    presets: { envoy: 30 },
    why: '`min_content_length`',
    group: 'answers',
    text: 'smaller answers are not encoded',
    peers: 'Envoy `min_content_length`',
  }),
  compression_types: option(mediaTypesValue, {
    default: [],
    defaultText: 'texts: JSON, HTML, XML and their like',
    group: 'answers',
    text: 'types of the answers that are encoded',
    peers: 'Envoy `content_type`',
  }),
  refuse_underscores: option(booleanValue, {
    default: false,
    group: 'access',
    text: 'refuse requests with an underscore in the name of a header, which servers may take for a hyphen',
    peers: 'Envoy `headers_with_underscores_action` (REJECT_REQUEST)',
  }),
  check_origin: option(booleanValue, {
    default: true,
    presets: { envoy: false },
    why: 'nor looks at `Origin`',
    group: 'access',
    text: 'refuse requests that may write from web pages of other origins',
  }),
  allowed_hosts: option(hostNamesValue, {
    default: [],
    presets: { envoy: ['*'] },
    why: 'or `Host`',
    group: 'access',
    text: 'host names that a loopback listener accepts besides IP addresses and localhost; * for all',
  }),
  addresses: option(orFalse(addressesKind), {
    default: undefined,
    within: 'policies',
    group: 'access',
    text: 'addresses whose requests are let through or refused',
    peers: 'Envoy filter `rbac`',
  }),
  cors: option(orFalse(corsKind), {
    default: undefined,
    within: 'policies',
    group: 'access',
    text: 'which web pages of other origins may call (CORS)',
    peers: 'Envoy `CorsPolicy`',
  }),
  jwt: option(orFalse(jwtKind), {
    default: undefined,
    within: 'policies',
    group: 'access',
    text: 'signed tokens (JWT) that calls require',
    peers: 'Envoy filter `jwt_authn`',
  }),
  api_keys: option(orFalse(apiKeysKind), {
    default: undefined,
    within: 'policies',
    group: 'access',
    text: 'keys that calls require, from a file; with jwt beside it a key or a token',
    peers: 'Envoy filter `api_key_auth`',
  }),
};

export type PolicyOptions = OptionsOf<typeof policyOptions>;

/** All policy options at their defaults. */
export const defaultPolicyOptions: PolicyOptions = defaultsOf(policyOptions);
