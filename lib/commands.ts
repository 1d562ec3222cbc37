/**
 * Texts with commands, such as `%REQ(x-user?:authority)%`, as Envoy writes them: in headers that routes set, in lines of
 * access logs, and in error bodies. Compiled once; what a command does not know of a request is no error.
 */
import { hostname } from 'node:os';
import { header, headerValues, type HeaderFields } from './headers.js';
import { OptionError, type Plain } from './options/index.js';

/** What commands can tell of. */
export interface CommandContext {
  readonly request: HeaderFields;
  /** `:method`, `:path`, `:authority`, `:scheme`. */
  readonly pseudo: Readonly<Record<string, string>>;
  /** `HTTP/1.1`. */
  readonly protocol: string;
  readonly remoteAddress: string;
  readonly remotePort: number;
  /** '' if none was chosen. */
  readonly cluster: string;
  /** Of the answer; undefined for changes of a request. */
  readonly response?: { readonly status: number; readonly headers: HeaderFields } | undefined;
  /** What an answer of the proxy's own would say if it had no other form. */
  readonly localBody?: string | undefined;
  /** Of a request that has ended. */
  readonly ended?: EndedRequest | undefined;
  /** Of a request that is answered with an error. */
  readonly failed?: FailedRequest | undefined;
}

/** What an error body can tell. */
export interface FailedRequest extends Pick<EndedRequest, 'startedAt' | 'code' | 'codeNumber' | 'requestId'> {
  readonly message: string;
  /** Each as JSON prints it, with its `@type`. */
  readonly details: readonly object[];
  /** What is wrong with which field. */
  readonly violations: readonly object[];
}

/** What is known in the end. Times are in milliseconds. */
export interface EndedRequest {
  readonly startedAt: Date;
  readonly durationMs: number;
  /** Until the call was started, and until something of its answer had come; undefined if that was not reached. */
  readonly requestMs: number | undefined;
  readonly responseMs: number | undefined;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** The server that was called. */
  readonly upstream: string | undefined;
  readonly routeName: string | undefined;
  /** Name of the gRPC code, `NOT_FOUND`, or its number if it has none. */
  readonly code: string | undefined;
  readonly codeNumber: number | undefined;
  /** The other end of the connection, whoever it forwards for. */
  readonly peer: { readonly address: string; readonly port: number };
  readonly requestId: string;
  readonly traceId: string | undefined;
  /** What went wrong, for operators. */
  readonly error: string | undefined;
}

/** Where commands stand: in a header that is sent, in a line that is written when the request has ended, in an error body. */
export type CommandUse = 'header' | 'log' | 'error';

/** A list is a whole value, and stands in no text. */
type Value = string | number | readonly object[] | undefined;
type Reader = (context: CommandContext) => Value;

/** Makes the reader of a command. @throws OptionError if the argument will not do */
type Command = (argument: string | undefined, name: string) => Reader;

/** Without an argument. */
function plain(reader: Reader): Command {
  return (argument, name) => {
    if (argument === undefined) return reader;
    throw new OptionError(`%${name}% takes no argument, and has (${argument})`, 'config-type');
  };
}

/** In Envoy it has a value that there is none for here: it is what Envoy writes where it has none, either. */
const noValue: Command = () => () => undefined;

const everywhere: Readonly<Record<string, Command>> = {
  REQ: headerCommand(requestHeader),
  REQ_WITHOUT_QUERY: headerCommand((context, name) => requestHeader(context, name)?.split('?')[0]),
  RESP: headerCommand(responseHeader),
  PROTOCOL: plain(({ protocol }) => protocol),
  DOWNSTREAM_REMOTE_ADDRESS: plain(({ remoteAddress, remotePort }) => `${bracketed(remoteAddress)}:${remotePort}`),
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: plain(({ remoteAddress }) => remoteAddress),
  DOWNSTREAM_REMOTE_PORT: plain(({ remotePort }) => remotePort),
  UPSTREAM_CLUSTER: plain(({ cluster }) => textOrNone(cluster)),
  RESPONSE_CODE: plain(({ response }) => response?.status),
  HOSTNAME: plain(() => hostname()),
};

const inLogs: Readonly<Record<string, Command>> = {
  LOCAL_REPLY_BODY: plain(({ localBody }) => localBody),
  START_TIME: startTime,
  DURATION: ended(({ durationMs }) => Math.floor(durationMs)),
  REQUEST_DURATION: ended(({ requestMs }) => floored(requestMs)),
  RESPONSE_DURATION: ended(({ responseMs }) => floored(responseMs)),
  RESPONSE_TX_DURATION: ended(({ responseMs, durationMs }) =>
    floored(responseMs === undefined ? undefined : durationMs - responseMs),
  ),
  BYTES_RECEIVED: ended(({ bytesIn }) => bytesIn),
  BYTES_SENT: ended(({ bytesOut }) => bytesOut),
  UPSTREAM_HOST: ended(({ upstream }) => upstream),
  UPSTREAM_REMOTE_ADDRESS: ended(({ upstream }) => upstream),
  ROUTE_NAME: ended(({ routeName }) => routeName),
  GRPC_STATUS: grpcStatus,
  GRPC_STATUS_NUMBER: ended(({ codeNumber }) => codeNumber),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS: ended(({ peer: { address, port } }) => `${bracketed(address)}:${port}`),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT: ended(({ peer }) => peer.address),
  DOWNSTREAM_DIRECT_REMOTE_PORT: ended(({ peer }) => peer.port),
  STREAM_ID: ended(({ requestId }) => requestId),
  TRACE_ID: ended(({ traceId }) => traceId),
  RESPONSE_CODE_DETAILS: ended(({ error }) => error?.replaceAll(/\s/g, '_')),
  ...Object.fromEntries(
    [
      ...['RESPONSE_FLAGS', 'RESPONSE_FLAGS_LONG', 'REQUEST_TX_DURATION', 'TRAILER', 'CONNECTION_ID', 'UNIQUE_ID'],
      ...['UPSTREAM_LOCAL_ADDRESS', 'UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT', 'UPSTREAM_LOCAL_PORT'],
      ...['UPSTREAM_TRANSPORT_FAILURE_REASON', 'UPSTREAM_REQUEST_ATTEMPT_COUNT', 'UPSTREAM_WIRE_BYTES_SENT'],
      ...['UPSTREAM_WIRE_BYTES_RECEIVED', 'DOWNSTREAM_WIRE_BYTES_SENT', 'DOWNSTREAM_WIRE_BYTES_RECEIVED'],
      ...['DOWNSTREAM_LOCAL_ADDRESS', 'DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT', 'DOWNSTREAM_LOCAL_PORT'],
      ...['DOWNSTREAM_TLS_VERSION', 'DOWNSTREAM_TLS_CIPHER', 'DOWNSTREAM_PEER_SUBJECT', 'DOWNSTREAM_PEER_ISSUER'],
      ...['REQUESTED_SERVER_NAME', 'VIRTUAL_CLUSTER_NAME', 'FILTER_CHAIN_NAME', 'CONNECTION_TERMINATION_DETAILS'],
      ...['DYNAMIC_METADATA', 'CLUSTER_METADATA', 'UPSTREAM_METADATA', 'FILTER_STATE', 'UPSTREAM_FILTER_STATE'],
      ...['DOWNSTREAM_TRANSPORT_FAILURE_REASON', 'REQUEST_HEADERS_BYTES', 'RESPONSE_HEADERS_BYTES'],
      ...['RESPONSE_TRAILERS_BYTES', 'UPSTREAM_PROTOCOL', 'UPSTREAM_CONNECTION_ID'],
    ].map((name) => [name, noValue]),
  ),
};

const inErrors: Readonly<Record<string, Command>> = {
  REQ: everywhere['REQ']!,
  RESPONSE_CODE: everywhere['RESPONSE_CODE']!,
  GRPC_STATUS: grpcStatus,
  GRPC_STATUS_NUMBER: plain(({ failed }) => failed?.codeNumber),
  MESSAGE: plain(({ failed }) => failed?.message),
  DETAILS: plain(({ failed }) => failed?.details),
  VIOLATIONS: plain(({ failed }) => failed?.violations),
  START_TIME: startTime,
  STREAM_ID: plain(({ failed }) => failed?.requestId),
  HOSTNAME: everywhere['HOSTNAME']!,
};

/** The commands whose value is a list. */
const lists: readonly string[] = ['DETAILS', 'VIOLATIONS'];

/** Maps: the names come from files, and `constructor` is none of them. */
const tables: Readonly<Record<CommandUse, ReadonlyMap<string, Command>>> = {
  header: new Map(Object.entries(everywhere)),
  log: new Map(Object.entries({ ...everywhere, ...inLogs })),
  error: new Map(Object.entries(inErrors)),
};

// ------------------------------------------------------------------------------------------------ whole texts

/** A piece of a text: what stands there, or what a command reads. */
type Part = string | Reader;

/**
 * Checks the value of a header.
 * @throws OptionError for a command that is not known
 */
export function checkCommands(value: string): void {
  partsOf(value, 'header');
}

/**
 * The value of a header; what has no value is left out of it.
 * @throws OptionError for a command that is not known
 */
export function compileValue(value: string): (context: CommandContext) => string {
  const parts = partsOf(value, 'header');
  return (context) => joined(parts, context, '');
}

/** What a line of a log has in the place of what has no value. */
const NONE = '-';

/** A line of a log. @throws OptionError for a command that is not known */
function compileLine(format: string, omitsEmpty = false): (context: CommandContext) => string {
  const parts = partsOf(format, 'log');
  return (context) => joined(parts, context, omitsEmpty ? '' : NONE);
}

/** The members of a line of JSON: texts with commands, maps and lists of them. Numbers and truth values are themselves. */
export type JsonFormat =
  string | number | boolean | null | readonly JsonFormat[] | { readonly [name: string]: JsonFormat };

/**
 * A value of a line of JSON: a text that is one command has the type of its value, and null if that has none.
 * @throws OptionError for a command that is not known
 */
function compileJson(format: JsonFormat, omitsEmpty = false): (context: CommandContext) => unknown {
  if (typeof format === 'string') {
    const parts = partsOf(format, 'log');
    const [only] = parts;
    if (parts.length === 1 && typeof only === 'function') return (context) => only(context) ?? null;
    return (context) => joined(parts, context, omitsEmpty ? '' : NONE);
  }
  if (format === null || typeof format !== 'object') return () => format;
  if (Array.isArray(format)) {
    const items = (format as readonly JsonFormat[]).map((item) => compileJson(item, omitsEmpty));
    return (context) => items.map((item) => item(context));
  }
  const members = Object.entries(format).map(([name, value]) => [name, compileJson(value, omitsEmpty)] as const);
  return (context) => {
    const values = members.map(([name, value]) => [name, value(context)] as const);
    return Object.fromEntries(omitsEmpty ? values.filter(([, value]) => value !== null && value !== '') : values);
  };
}

/** A text is a line as it stands, its end included; a map is a line of JSON. */
export type LogFormat = string | Readonly<Record<string, JsonFormat>>;

/** The format that an option says; undefined if it is none. @throws OptionError for a command that is not known */
export function logFormatOf(raw: Plain): LogFormat | undefined {
  const isMap = typeof raw === 'object' && raw !== null && !Array.isArray(raw);
  if (!isMap && (typeof raw !== 'string' || raw === '')) return undefined;
  compileFormat(raw as LogFormat);
  return raw as LogFormat;
}

/** @throws OptionError for a command that is not known */
export function compileFormat(format: LogFormat, omitsEmpty = false): (context: CommandContext) => string {
  if (typeof format === 'string') return compileLine(format, omitsEmpty);
  const value = compileJson(format, omitsEmpty);
  return (context) => `${JSON.stringify(value(context))}\n`;
}

/** The structure of an error body: its texts may have commands. */
export type ErrorTemplate = Readonly<Record<string, JsonFormat>>;

/**
 * An error body. A text that is one command has the type of its value; a member whose command has no value is left out, and
 * in a list it is null.
 * @throws OptionError for a command that is not known
 */
export function compileError(template: ErrorTemplate): (context: CommandContext) => string {
  const value = errorValue(template);
  return (context) => JSON.stringify(value(context));
}

function errorValue(format: JsonFormat): (context: CommandContext) => unknown {
  if (typeof format === 'string') {
    const parts = partsOf(format, 'error');
    const [only] = parts;
    if (parts.length === 1 && typeof only === 'function') return only;
    const list = lists.find((name) => format.includes(`%${name}%`));
    if (list !== undefined) throw new OptionError(`%${list}% is a list, and stands alone: "%${list}%"`, 'config-type');
    return (context) => joined(parts, context, '');
  }
  if (format === null || typeof format !== 'object') return () => format;
  if (Array.isArray(format)) {
    const items = (format as readonly JsonFormat[]).map(errorValue);
    return (context) => items.map((item) => item(context));
  }
  const members = Object.entries(format).map(([name, value]) => [name, errorValue(value)] as const);
  return (context) => Object.fromEntries(members.map(([name, value]) => [name, value(context)]));
}

function joined(parts: readonly Part[], context: CommandContext, none: string): string {
  return parts.map((part) => (typeof part === 'string' ? part : (textOf(part(context)) ?? none))).join('');
}

/** A command from its percent sign to the next: its argument may hold percent signs, too. */
const commandPattern = /%([A-Z][A-Z_0-9]*)(?:\(([^)]*)\))?(?::(\d{1,6}))?%/y;

/** @throws OptionError */
function partsOf(text: string, use: CommandUse): Part[] {
  const parts: Part[] = [];
  let at = 0;
  while (at < text.length) {
    const next = text.indexOf('%', at);
    if (next < 0) {
      parts.push(text.slice(at));
      break;
    }
    if (next > at) parts.push(text.slice(at, next));
    if (text[next + 1] === '%') {
      parts.push('%');
      at = next + 2;
      continue;
    }
    commandPattern.lastIndex = next;
    const match = commandPattern.exec(text);
    if (match === null) throw notACommand(text, next, use);
    const [all, name = '', argument, length] = match;
    if (length !== undefined && lists.includes(name)) {
      throw new OptionError(`%${name}% is a list, which cannot be cut`, 'config-type');
    }
    parts.push(cut(readerOf(name, argument, use), length));
    at = next + all.length;
  }
  return parts;
}

function notACommand(text: string, at: number, use: CommandUse): OptionError {
  const end = text.indexOf('%', at + 1);
  if (end >= 0) return unknown(text.slice(at + 1, end), use);
  return new OptionError(`${JSON.stringify(text)} has a single %; write %% for the sign itself`, 'config-type');
}

function unknown(name: string, use: CommandUse): OptionError {
  const withArguments = ['REQ', 'RESP', 'REQ_WITHOUT_QUERY'];
  const names = [...tables[use]].flatMap(([known, command]) => {
    if (command === noValue) return [];
    return [`%${known}${withArguments.includes(known) ? '(name)' : ''}%`];
  });
  return new OptionError(`%${name}% is not known; known are ${names.join(', ')}`, 'config-type');
}

function readerOf(name: string, argument: string | undefined, use: CommandUse): Reader {
  const command = tables[use].get(name);
  if (command !== undefined) return command(argument, name);
  if (use === 'error' || !tables.log.has(name))
    throw unknown(argument === undefined ? name : `${name}(${argument})`, use);
  throw new OptionError(`%${name}% is known when the answer has ended; write it in the access log`, 'config-type');
}

function textOf(value: Value): string | undefined {
  return typeof value === 'object' ? JSON.stringify(value) : value?.toString();
}

function cut(reader: Reader, length: string | undefined): Reader {
  if (length === undefined) return reader;
  const longest = Number(length);
  return (context) => {
    const value = reader(context);
    return textOf(value)?.slice(0, longest);
  };
}

// ------------------------------------------------------------------------------------------------ commands

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

function textOrNone(text: string): string | undefined {
  return text === '' ? undefined : text;
}

function floored(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Math.floor(value);
}

function ended(read: (request: EndedRequest) => Value): Command {
  return plain(({ ended: request }) => (request === undefined ? undefined : read(request)));
}

/** `NAME`, `NAME?OTHER`. */
function headerCommand(read: (context: CommandContext, name: string) => string | undefined): Command {
  return (argument, command) => {
    const [, name, other] = /^([^?]+)(?:\?([^?]+))?$/.exec(argument ?? '') ?? [];
    if (name === undefined) {
      throw new OptionError(`%${command}% names no header; write %${command}(x-user)%`, 'config-type');
    }
    const names = [name, ...(other === undefined ? [] : [other])].map((one) => one.toLowerCase());
    return (context) => names.map((one) => read(context, one)).find((one) => one !== undefined);
  };
}

function requestHeader({ pseudo, request }: CommandContext, name: string): string | undefined {
  return Object.hasOwn(pseudo, name) ? pseudo[name] : header(request, name);
}

function responseHeader({ response }: CommandContext, name: string): string | undefined {
  if (response === undefined) return undefined;
  return name === ':status' ? String(response.status) : headerValues(response.headers, name)[0];
}

function grpcStatus(format: string | undefined): Reader {
  switch (format) {
    case undefined:
    case 'CAMEL_STRING':
      return (context) => camelName(statusOf(context)?.code);
    case 'SNAKE_STRING':
      return (context) => statusOf(context)?.code;
    case 'NUMBER':
      return (context) => statusOf(context)?.codeNumber;
    default:
      throw new OptionError(
        `%GRPC_STATUS(${format})% is not known; expected CAMEL_STRING, SNAKE_STRING or NUMBER`,
        'config-type',
      );
  }
}

const statusOf = ({ ended: request, failed }: CommandContext): Pick<EndedRequest, 'code' | 'codeNumber'> | undefined =>
  failed ?? request;

/** `NOT_FOUND` → `NotFound`; `OK` is itself. */
function camelName(name: string | undefined): string | undefined {
  if (name === undefined || name === 'OK') return name;
  return name.toLowerCase().replace(/(?:^|_)([a-z])/g, (_match, letter: string) => letter.toUpperCase());
}

const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** The directives of `strftime` that are taken, in UTC. */
const directives: ReadonlyMap<string, (time: Date) => string> = new Map(
  Object.entries<(time: Date) => string>({
    Y: (time) => String(time.getUTCFullYear()),
    y: (time) => twoDigits(time.getUTCFullYear() % 100),
    m: (time) => twoDigits(time.getUTCMonth() + 1),
    d: (time) => twoDigits(time.getUTCDate()),
    e: (time) => String(time.getUTCDate()).padStart(2),
    H: (time) => twoDigits(time.getUTCHours()),
    M: (time) => twoDigits(time.getUTCMinutes()),
    S: (time) => twoDigits(time.getUTCSeconds()),
    T: (time) => time.toISOString().slice(11, 19),
    F: (time) => time.toISOString().slice(0, 10),
    R: (time) => time.toISOString().slice(11, 16),
    s: (time) => String(Math.floor(time.getTime() / 1000)),
    a: (time) => days[time.getUTCDay()]!,
    b: (time) => months[time.getUTCMonth()]!,
    z: () => '+0000',
    Z: () => 'UTC',
    '%': () => '%',
  }),
);

function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}

function startTime(format: string | undefined): Reader {
  const timeOf = ({ ended: request, failed }: CommandContext): Date | undefined => (failed ?? request)?.startedAt;
  if (format === undefined || format === '') return (context) => timeOf(context)?.toISOString();
  const parts = format.split(/(%[1-9]?.)/s).map((part): string | ((time: Date) => string) => {
    if (!part.startsWith('%')) return part;
    // Parts of a second, to so many digits.
    const [, digits, letter = ''] = /^%([1-9]?)(.)$/s.exec(part) ?? [];
    if (letter === 'f') {
      return (time) => `${String(time.getUTCMilliseconds()).padStart(3, '0')}000000`.slice(0, Number(digits || 9));
    }
    const directive = digits === '' ? directives.get(letter) : undefined;
    if (directive !== undefined) return directive;
    throw new OptionError(`%START_TIME(${format})% has ${part}, which is not known`, 'config-type');
  });
  return (context) => {
    const time = timeOf(context);
    return time && parts.map((part) => (typeof part === 'string' ? part : part(time))).join('');
  };
}
