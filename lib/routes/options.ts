/** `virtual_hosts` of a listener: which requests go to which cluster, by host, path, headers and query. */
import {
  booleanValue,
  checkedText,
  enumValue,
  field,
  integerValue,
  type KindValue,
  listOf,
  OptionError,
  optionalTimeValue,
  orFalse,
  record,
  requiredField,
  shown,
} from '../options/index.js';
import { isHeaderName } from '../headers.js';
import { corsKind } from '../cors/index.js';
import { retriesKind } from '../retry/index.js';
import { checkCommands } from '../commands.js';
import { checkSubstitution } from '../pattern.js';
import { routeFiltersKind } from './filter-options.js';
import { anyText, changedHeader, match, pattern, text } from './match-options.js';

const domain = checkedText({
  placeholder: 'DOMAIN',
  description: 'a host such as api.example.com, *.example.com, api.* or *, with the port where clients send one',
  code: 'config-type',
  convert: (name) => (/^\*?[^*\s/]*$|^[^*\s/]+\*$/.test(name) && name !== '' ? name.toLowerCase() : undefined),
});

const regexRewrite = record({
  fields: {
    pattern: requiredField(pattern, 'what is replaced', 'it has pattern and substitution'),
    substitution: requiredField(
      anyText,
      'what takes its place; \\1 is the first group',
      'it has pattern and substitution',
    ),
  },
  about: '"regex_rewrite"',
  expected: '"regex_rewrite" is a map such as { pattern: "^/v1/(.*)", substitution: "/\\\\1" }',
  check: ({ pattern: from, substitution }) => checkSubstitution(from, substitution),
});

const rewrites = {
  prefix_rewrite: field(text, 'what takes the place of the prefix, or of the whole path'),
  regex_rewrite: field(regexRewrite, 'what takes the place of matches in the path'),
};

const weighted = record({
  fields: {
    name: requiredField(text, 'the name of the cluster', 'a weighted cluster has name and weight'),
    weight: requiredField(integerValue(0, 0xffffffff), 'its share', 'a weighted cluster has name and weight'),
    request_headers: field(listOf(headerChange(), '"request_headers" is a list'), 'changes for this cluster'),
    response_headers: field(listOf(headerChange(), '"response_headers" is a list'), 'changes for this cluster'),
  },
  about: 'a weighted cluster',
  expected: 'a weighted cluster is a map such as { name: grpc, weight: 90 }',
});

const forward = record({
  fields: {
    cluster: field(text, 'the name of the cluster'),
    weighted_clusters: field(listOf(weighted, '"weighted_clusters" is a list'), 'clusters, picked at random by weight'),
    timeout: field(optionalTimeValue, 'how long a request may take, answer included; none for no limit. Default none'),
    max_grpc_timeout: field(
      optionalTimeValue,
      'the time that a client asks for by grpc-timeout counts up to this, in place of timeout; none for no limit',
    ),
    ...rewrites,
    host_rewrite: field(text, 'the host that the cluster is told'),
    hash_header: field(
      checkedText({
        placeholder: 'NAME',
        description: 'the name of a header',
        code: 'config-type',
        convert: (name) => (isHeaderName(name) ? name.toLowerCase() : undefined),
      }),
      'for a cluster with ring_hash: requests with the same value of this header go to the same server',
    ),
    retries: field(retriesKind, 'which calls are sent again, in place of what the virtual host says; false for none'),
  },
  about: 'a route',
  expected: 'a route is a map such as { cluster: grpc, timeout: 15s }',
  check({ cluster, weightedClusters, prefixRewrite, regexRewrite: regex }) {
    if ((cluster === undefined) === (weightedClusters === undefined)) {
      throw new OptionError('a route has cluster or weighted_clusters', 'config-type');
    }
    if (prefixRewrite !== undefined && regex !== undefined) {
      throw new OptionError('a route has prefix_rewrite or regex_rewrite, not both', 'config-type');
    }
    if (weightedClusters?.every(({ weight }) => weight === 0)) {
      throw new OptionError('all weights are 0', 'config-type');
    }
  },
});

const redirect = record({
  fields: {
    scheme: field(enumValue('http', 'https'), 'the scheme'),
    host: field(text, 'the host'),
    port: field(integerValue(1, 65535), 'the port'),
    path: field(text, 'path and query'),
    ...rewrites,
    strip_query: field(booleanValue, 'the query is left out'),
    status: field(integerValue(300, 399), 'the HTTP status. Default 301'),
  },
  about: 'a redirect',
  expected: 'a redirect is a map such as { scheme: https }',
});

const directResponse = record({
  fields: {
    status: requiredField(integerValue(200, 599), 'the HTTP status', 'a direct_response has a status'),
    body: field(anyText, 'the body, as text/plain'),
    health_check: field(
      booleanValue,
      'it is 503 instead once the proxy drains, or an operator said that it is to fail',
    ),
  },
  about: 'a direct_response',
  expected: 'a direct_response is a map such as { status: 200, body: ok }',
});

export function headerChange() {
  return record({
    fields: {
      remove: field(changedHeader, 'the name of a header that is removed'),
      name: field(changedHeader, 'the name of a header that is set'),
      value: field(anyText, 'its value, which may hold %REQ(name)% and its like'),
      action: field(
        enumValue('append_if_exists_or_add', 'add_if_absent', 'overwrite_if_exists_or_add', 'overwrite_if_exists'),
        'what becomes of one that is there. Default append_if_exists_or_add',
      ),
      keep_empty: field(booleanValue, 'it is set even if its value is empty'),
    },
    about: 'a change of headers',
    expected: 'a change of headers is { remove: x-old } or { name: x-new, value: text }',
    check({ remove, name, value }) {
      if ((remove === undefined) === (name === undefined)) {
        throw new OptionError(
          'a change of headers is { remove: x-old } or { name: x-new, value: text }',
          'config-type',
        );
      }
      if (value !== undefined) checkCommands(value);
    },
  });
}

const route = record({
  fields: {
    name: field(text, 'what access logs call it'),
    match: requiredField(match, 'which requests it takes', 'a route has a match'),
    route: field(forward, 'the cluster that answers'),
    redirect: field(redirect, 'where the client is sent'),
    direct_response: field(directResponse, 'an answer that is always the same'),
    request_headers: field(listOf(headerChange(), '"request_headers" is a list'), 'changes to requests, in order'),
    response_headers: field(listOf(headerChange(), '"response_headers" is a list'), 'changes to answers, in order'),
    cors: field(orFalse(corsKind), 'which web pages may call, in place of what the virtual host says; false for none'),
    transcoder: field(
      orFalse(text),
      'the name of one of "transcoders" of the listener, by which its requests become calls; false: they stay as they are',
    ),
    filters: field(routeFiltersKind, 'filters by name → what they do here, in place of what the virtual host says'),
  },
  about: 'a route',
  expected: 'a route is a map such as { match: { prefix: / }, route: { cluster: grpc } }',
  check({ route: to, redirect: away, directResponse: answer }) {
    if ([to, away, answer].filter((action) => action !== undefined).length !== 1) {
      throw new OptionError('a route has one of route, redirect and direct_response', 'config-type');
    }
  },
});

const virtualHost = record({
  fields: {
    domains: requiredField(listOf(domain, '"domains" is a list of hosts'), 'its hosts', 'a virtual host has domains'),
    routes: field(listOf(route, '"routes" is a list'), 'the first that matches counts'),
    cors: field(orFalse(corsKind), 'which web pages may call, in place of policies.cors; false for none'),
    filters: field(routeFiltersKind, 'filters of the listener by name → what they do here'),
    retries: field(retriesKind, 'which calls are sent again, in place of what the listener says; false for none'),
  },
  about: 'a virtual host',
  expected: 'a virtual host is a map such as { domains: ["*"], routes: [ … ] }',
});

const hostList = listOf(virtualHost, '"virtual_hosts" is a list, each element with domains and routes');

/** Domains are given once. */
export const virtualHostsKind: typeof hostList = {
  ...hostList,
  readNode(node, reader) {
    const hosts = hostList.readNode(node, reader);
    const seen = new Set<string>();
    for (const name of hosts.flatMap(({ domains }) => domains)) {
      if (seen.has(name)) throw new OptionError(`the domain ${shown(name)} is given twice`, 'config-type');
      seen.add(name);
    }
    return hosts;
  },
};

export type VirtualHostSettings = KindValue<typeof virtualHost>;
export type RouteSettings = KindValue<typeof route>;
export type ForwardSettings = KindValue<typeof forward>;
export type RedirectSettings = KindValue<typeof redirect>;
export type HeaderChangeSettings = KindValue<ReturnType<typeof headerChange>>;
