/** Messages that stand in many places of a bootstrap. */
import { any, honoured, list, mapOf, message, noEffect, refused, required } from '../describe.js';
import { anything, bool, bytes, changedHeader, double, enumOf, headerText, pattern, string, uint32 } from '../kinds.js';

export const address = message({
  socket_address: honoured(
    message({
      address: honoured(string),
      port_value: honoured(uint32),
      protocol: honoured(enumOf('TCP', ['UDP', refused('HTTP/3 is not spoken here; remove this listener')])),
      ipv4_compat: noEffect(bool, '`::` takes IPv4 too, as Node does'),
      named_port: refused('write port_value'),
      resolver_name: refused('names are resolved by the system; remove it', ['']),
      network_namespace_filepath: refused('start photongate in that network namespace', ['']),
      linux_network_namespace: refused('start photongate in that network namespace', ['']),
    }),
  ),
  pipe: honoured(message({ path: honoured(string), mode: refused('set the mode of the socket file yourself', [0]) })),
  envoy_internal_address: refused('internal listeners do not exist here; write the address itself'),
});

/** Where text or bytes come from. */
export const dataSource = message({
  filename: honoured(string, 'relative to the working directory'),
  inline_string: honoured(string),
  inline_bytes: honoured(bytes),
  environment_variable: honoured(string),
  watched_directory: noEffect(anything, 'files are looked at by themselves'),
});

const regex = message({
  regex: honoured(pattern, 'RE2 syntax, in linear time'),
  google_re2: noEffect(anything, 'the engine is always the same'),
});

export const safeRegex = regex;

export const stringMatcher = message({
  exact: honoured(string),
  prefix: honoured(string),
  suffix: honoured(string),
  contains: honoured(string),
  safe_regex: honoured(regex),
  ignore_case: honoured(bool),
  custom: refused('write exact, prefix, suffix, contains or safe_regex'),
});

const int64Range = message({ start: honoured(double), end: honoured(double) });

export const headerMatcher = message({
  name: honoured(string),
  exact_match: honoured(string),
  safe_regex_match: honoured(regex),
  range_match: honoured(int64Range),
  present_match: honoured(bool),
  prefix_match: honoured(string),
  suffix_match: honoured(string),
  contains_match: honoured(string),
  string_match: honoured(stringMatcher),
  invert_match: honoured(bool),
  treat_missing_header_as_empty: honoured(bool),
});

export const queryParameterMatcher = message({
  name: honoured(string),
  string_match: honoured(stringMatcher),
  present_match: honoured(bool),
});

/** A header to set, with `%REQ(…)%` and its like in the value. */
export const headerValueOption = message({
  header: required(
    message({
      key: required(
        changedHeader,
        'write key: x-name',
        'no pseudo-header, not host, and none that says how a message is sent',
      ),
      value: honoured(headerText),
      raw_value: refused('write value'),
    }),
    'write header: { key: x-name, value: text }',
  ),
  append: honoured(bool),
  append_action: honoured(
    enumOf('APPEND_IF_EXISTS_OR_ADD', 'ADD_IF_ABSENT', 'OVERWRITE_IF_EXISTS_OR_ADD', 'OVERWRITE_IF_EXISTS'),
  ),
  keep_empty_value: honoured(bool),
});

export const headersToAdd = list(headerValueOption);
export const names = list(string);
export const headersToRemove = list(changedHeader);

/** Annotations for other tools. */
export const metadata = message({
  filter_metadata: noEffect(mapOf(anything), 'nothing here reads it'),
  typed_filter_metadata: noEffect(mapOf(anything), 'nothing here reads it'),
});

export const runtimeFraction = message({
  default_value: honoured(
    message({
      numerator: honoured(uint32),
      denominator: honoured(enumOf('HUNDRED', 'TEN_THOUSAND', 'MILLION')),
    }),
  ),
  runtime_key: noEffect(string, 'there is no runtime: the default counts'),
});

const certificate = message({
  certificate_chain: honoured(dataSource),
  private_key: honoured(dataSource),
  password: refused('remove the passphrase of the key'),
  pkcs12: refused('write certificate_chain and private_key (PEM)'),
  private_key_provider: refused('write private_key'),
  ocsp_staple: refused('certificates are sent without OCSP'),
  signed_certificate_timestamp: refused('certificates are sent without them'),
  watched_directory: noEffect(anything, 'files are looked at by themselves'),
});

const validationContext = message({
  trusted_ca: honoured(dataSource),
  match_typed_subject_alt_names: refused(
    'only sni is compared with the certificate; remove it, or set sni to that name',
  ),
  match_subject_alt_names: refused('only sni is compared with the certificate; remove it, or set sni to that name'),
  verify_certificate_spki: refused('give trusted_ca'),
  verify_certificate_hash: refused('give trusted_ca'),
  crl: refused('certificates are not compared with revocation lists'),
  allow_expired_certificate: refused('expired certificates are refused', [false]),
  trust_chain_verification: refused('chains are always verified', ['VERIFY_TRUST_CHAIN', 0]),
  custom_validator_config: refused('give trusted_ca'),
  only_verify_leaf_cert_crl: refused('certificates are not compared with revocation lists', [false]),
  max_verify_depth: refused('remove it'),
  system_root_certs: honoured(message({}), 'the authorities that Node brings'),
  watched_directory: noEffect(anything, 'files are looked at by themselves'),
});

const sds = 'secrets are not fetched; write the files themselves';

const versions = 'TLS 1.2 and 1.3 are spoken; start with NODE_OPTIONS=--tls-min-v1.3 for the latter alone';

const tlsParams = message({
  tls_minimum_protocol_version: refused(versions, ['TLS_AUTO', 'TLSv1_2', 0, 3]),
  tls_maximum_protocol_version: refused(versions, ['TLS_AUTO', 'TLSv1_3', 0, 4]),
  cipher_suites: refused('start with NODE_OPTIONS=--tls-cipher-list=…'),
  ecdh_curves: refused('the curves of Node are offered; remove it'),
  signature_algorithms: refused('the algorithms of Node are offered; remove it'),
  compliance_policies: refused('use a Node that was built for it'),
});

const commonTls = message({
  tls_certificates: honoured(list(certificate)),
  validation_context: honoured(validationContext),
  alpn_protocols: noEffect(names, 'h2 and http/1.1 are offered'),
  tls_params: honoured(tlsParams),
  tls_certificate_sds_secret_configs: refused(sds),
  validation_context_sds_secret_config: refused(sds),
  combined_validation_context: refused(sds),
  tls_certificate_provider_instance: refused(sds),
  custom_handshaker: refused('remove it'),
  key_log: refused('start with NODE_OPTIONS=--tls-keylog=FILE'),
});

const downstreamTls = message({
  common_tls_context: honoured(commonTls),
  require_client_certificate: honoured(bool),
  require_sni: refused('clients without a server name are served too', [false]),
  session_timeout: noEffect(anything, 'Node decides how long sessions are kept'),
  disable_stateless_session_resumption: noEffect(bool, 'Node decides how sessions are kept'),
  disable_stateful_session_resumption: noEffect(bool, 'Node decides how sessions are kept'),
  ocsp_staple_policy: refused('certificates are sent without OCSP', ['LENIENT_STAPLING', 0]),
  full_scan_certs_on_sni_mismatch: refused('give one certificate', [false]),
  session_ticket_keys: refused('remove it: Node makes keys of its own'),
});

const upstreamTls = message({
  common_tls_context: honoured(commonTls),
  sni: honoured(string),
  allow_renegotiation: refused('HTTP/2 has no renegotiation', [false]),
  max_session_keys: noEffect(uint32, 'Node decides how sessions are kept'),
  auto_host_sni: refused('write sni', [false]),
  auto_sni_san_validation: refused('sni is always compared with the certificate', [false]),
  enforce_rsa_key_usage: noEffect(bool, 'OpenSSL decides'),
});

const tls = 'envoy.extensions.transport_sockets.tls.v3';
const rawBuffer = { 'envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer': message({}) };

export const downstreamTransportSocket = message({
  name: noEffect(string, '"@type" decides'),
  typed_config: honoured(any({ [`${tls}.DownstreamTlsContext` as const]: downstreamTls, ...rawBuffer })),
});

export const upstreamTransportSocket = message({
  name: noEffect(string, '"@type" decides'),
  typed_config: honoured(any({ [`${tls}.UpstreamTlsContext` as const]: upstreamTls, ...rawBuffer })),
});

/** What HTTP/2 options of both sides have in common. */
export const http2Limits = {
  allow_metadata: refused('METADATA frames are not read', [false]),
  max_outbound_frames: noEffect(uint32, 'photongate has limits of its own'),
  max_outbound_control_frames: noEffect(uint32, 'photongate has limits of its own'),
  max_consecutive_inbound_frames_with_empty_payload: noEffect(uint32, 'photongate has limits of its own'),
};
