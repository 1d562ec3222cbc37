/** The JSON Schema of the configuration file, for editors; made from the same table as everything else. */
import { timeValue } from './values.js';
import { jwtJsonSchema } from './jwt-forms.js';
import { flagName, type OptionSpec, optionSpecs, upstreamTlsSpecs } from './options.js';

const texts = { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] };

const cors = {
  ...closed({
    origins: { ...texts, description: 'https://console.example.com, https://*.example.com, or * for every page' },
    methods: { ...texts, description: 'methods that pages may use. Default: those of the routes' },
    headers: { ...texts, description: 'request headers that pages may send. Default: all' },
    expose: { ...texts, description: 'response headers that pages may read' },
    credentials: { type: 'boolean', description: 'pages may send cookies; not with the origin *' },
    max_age: { ...timeValue.jsonSchema, description: 'how long browsers keep the answer of a preflight' },
  }),
  required: ['origins'],
};

/** As a plain object, to be written as JSON. */
export function configJsonSchema(): object {
  const listener = { listen: { ...addresses(), description: '[host:]port, one or several' }, ...serving(optionSpecs) };
  const mountOptions = optionSpecs.filter(({ listenerOnly }) => !listenerOnly);
  const mount = { host: { ...texts, description: 'host names, or *.example.com' }, ...serving(mountOptions) };
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'photongate configuration',
    ...closed({
      proto: { ...texts, description: '.proto files, folders or globs whose services are served' },
      proto_path: { ...texts, description: 'folders in which imports are sought' },
      descriptor_set: { ...texts, description: 'binary FileDescriptorSets or Buf images, also gzipped' },
      reflection: {
        anyOf: [{ type: 'boolean' }, texts],
        description:
          'upstreams that are asked for their schema: true for all, or their names (default: the one without)',
      },
      watch: { type: 'boolean', description: 'take what changes in the files while running' },
      listen: listener.listen,
      listeners: {
        type: 'array',
        items: {
          ...closed({
            ...listener,
            mounts: {
              description: 'path prefixes, each with services and options of its own',
              anyOf: [
                { type: 'object', additionalProperties: closed(mount) },
                { type: 'array', items: closed({ path: { type: 'string' }, ...mount }) },
              ],
            },
          }),
          required: ['listen'],
        },
      },
      ...serving(optionSpecs),
    }),
  };
}

const text = { type: 'string' };

function listOf(members: object): object {
  return { type: 'array', items: closed(members) };
}

function closed(properties: object): object {
  return { type: 'object', properties, additionalProperties: false };
}

function addresses(): object {
  const one = { type: ['string', 'integer'] };
  return { anyOf: [one, { type: 'array', items: one }] };
}

/** What `tls` may hold: a map of options whose names go on after `prefix`. */
function tlsOf(prefix: string, specs: readonly OptionSpec[]): object {
  const named = specs.filter(({ name }) => name.startsWith(prefix));
  return closed(
    Object.fromEntries(
      named.map(({ name, kind, text }) => [name.slice(prefix.length), { ...kind.jsonSchema, description: text }]),
    ),
  );
}

function serving(specs: readonly OptionSpec[]): Record<string, object> {
  const target = { type: 'string' };
  const upstreamTls = { anyOf: [{ type: 'boolean' }, tlsOf('upstream_', upstreamTlsSpecs)] };
  return {
    services: { ...texts, description: 'names, packages or wildcards of services' },
    rules: { ...texts, description: 'service configs whose http.rules replace annotations' },
    methods: {
      description: 'selectors of RPCs → method options, which replace those of (photongate.http)',
      type: 'object',
      additionalProperties: closed({
        success_status: { type: 'integer', minimum: 200, maximum: 399 },
        headers: listOf({ header: text, cookie: text, field: text }),
        response_headers: listOf({ header: text, field: text }),
        update_mask: { type: 'boolean' },
        sse: closed({ id: text, event: text }),
        deadline: { ...text, description: 'none, or a time such as 5s' },
      }),
    },
    upstreams: {
      description: 'package or service → target; default for the rest',
      anyOf: [
        target,
        {
          type: 'object',
          additionalProperties: { anyOf: [target, { ...closed({ target, tls: upstreamTls }), required: ['target'] }] },
        },
      ],
    },
    policies: closed({
      cors: { anyOf: [{ const: false }, cors], description: 'which pages of other origins may call' },
      jwt: { anyOf: [{ const: false }, jwtJsonSchema()], description: 'signed tokens that calls need' },
    }),
    ...(specs.some(({ name }) => name === 'tls_cert')
      ? { tls: { anyOf: [{ const: false }, tlsOf('tls_', specs)], description: 'tls_cert and its like in one map' } }
      : {}),
    ...Object.fromEntries(
      specs.map(({ name, kind, text, defaultText }) => [
        name,
        { ...kind.jsonSchema, description: `${text}. Default: ${defaultText}. Flag: --${flagName(name)}` },
      ]),
    ),
  };
}
