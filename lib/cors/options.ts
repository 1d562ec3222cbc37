/** `policies: { cors: … }`: which web pages of other origins may call. */
import { isHeaderName } from '../headers.js';
import {
  booleanValue,
  checkedText,
  field,
  type GivenOf,
  oneOrMany,
  record,
  requiredField,
  timeFrom,
} from '../options/index.js';

const originPattern = /^([a-z][a-z0-9+.-]*):\/\/((?:\*\.)?[\w-]+(?:\.[\w-]+)*|\[[0-9a-f:.]+\])(?::(\d{1,5}))?$/;

/**
 * The origin in the form in which it is compared: lower case, without the default port of its scheme; undefined if it
 * is no origin.
 */
export function normalOrigin(text: string): string | undefined {
  const match = originPattern.exec(text.toLowerCase());
  if (match === null) return undefined;
  const [, scheme, host, port] = match;
  const isDefault = (scheme === 'http' && port === '80') || (scheme === 'https' && port === '443');
  return `${scheme!}://${host!}${port === undefined || isDefault ? '' : `:${port}`}`;
}

const origins = oneOrMany(
  checkedText({
    placeholder: 'ORIGIN',
    description: 'an origin such as https://console.example.com, https://*.example.com or *',
    code: 'config-type',
    convert: (text) => (text === '*' ? text : normalOrigin(text)),
  }),
);

const tokens = (description: string, form: (text: string) => string) =>
  oneOrMany(
    checkedText({
      placeholder: 'NAME',
      description,
      code: 'config-type',
      convert: (text) => (isHeaderName(text) && text !== '*' ? form(text) : undefined),
    }),
  );

const headers = tokens('a header name', (text) => text.toLowerCase());

const corsFields = {
  origins: requiredField(
    origins,
    'https://console.example.com, https://*.example.com, or * for every page',
    '"cors" has no "origins": the pages that may call, such as https://console.example.com',
  ),
  methods: field(
    tokens('a method such as PUT', (text) => text),
    'methods that pages may use. Default: those of the routes',
  ),
  headers: field(headers, 'request headers that pages may send. Default: all'),
  expose: field(headers, 'response headers that pages may read'),
  credentials: field(booleanValue, 'pages may send cookies; not with the origin *'),
  max_age: field(timeFrom(0), 'how long browsers cache the response to a preflight'),
};

/** The options of CORS that were given. */
export type CorsOptions = GivenOf<typeof corsFields>;

/** The kind of `policies.cors`. */
export const corsKind = record({
  fields: corsFields,
  about: '"cors"',
  expected: '"cors" is false or a map such as { origins: ["https://console.example.com"] }',
  check(cors, map, reader) {
    if (cors.credentials !== true || !cors.origins.includes('*')) return;
    const { place } = map.members.find(({ name }) => name === 'credentials')!;
    const message =
      'credentials for every origin would let any page act as its visitor; name the origins in the place of *';
    reader.error(place, 'config-conflict', message);
  },
});
