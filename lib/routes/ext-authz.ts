/** The filter `ext_authz`: asks an authorizer about each request, and does what it says. */
import type { Channel } from '../exchange.js';
import {
  connectionHeaders,
  fixedHeader,
  header,
  type HeaderFields,
  headerPairs,
  headerTokens,
  headerValues,
  isHeaderName,
  withoutFields,
} from '../headers.js';
import { isDerivedByProxy } from '../metadata/index.js';
import { OptionError } from '../options/index.js';
import { Code, codeOfHttpStatus, isBodyless, StatusError } from '../status.js';
import { escapeUtf8 } from '../uri.js';
import { WireError } from '../wire/index.js';
import { CHECK_PATH, type CheckAnswer, CheckRequest, CheckResponse, type HeaderOption } from './authz-messages.js';
import { publishFilterFailure } from './diagnostics.js';
import type { ExtAuthzSettings, RouteAuthzSettings } from './ext-authz-options.js';
import {
  type BodyStart,
  type CompiledFilter,
  type FilteredRequest,
  type FilterEffect,
  RefusedRequest,
  type RequestFilter,
} from './filter.js';
import { compileText } from './match.js';
import { routerForm } from './path-readings.js';
import { nameOfPair, schemeOf, targetOf } from './request.js';
import { CallFailed, unaryCall } from './unary-call.js';

/** What the filter needs of the proxy. */
export interface AuthzSurroundings {
  /** @throws ConfigError if there is none */
  readonly channelOf: (service: { readonly cluster?: string; readonly target?: string }) => Channel;
  /** Wall-clock time, in milliseconds. */
  readonly wallClock: () => number;
}

const DEFAULT_TIMEOUT_MS = 200;
const FAILURE_HEADER = 'x-envoy-auth-failure-mode-allowed';

export function compileExtAuthz(settings: ExtAuthzSettings, surroundings: AuthzSurroundings): CompiledFilter {
  const { timeoutMs = DEFAULT_TIMEOUT_MS, failureModeAllow = false, statusOnError = 403 } = settings;
  const channel = surroundings.channelOf(settings);
  const isSent = headerTest(settings);
  const filterWith = (own: RouteAuthzSettings): RequestFilter => {
    const extensions = extensionsOf(settings, own);
    const body = own.withoutBody === true ? undefined : settings.withRequestBody;
    return async (request) => {
      const start = body && (await bodyOf(request, body));
      const asked = checkRequest(request, {
        isSent,
        extensions: settings.includeRpc === true ? { ...extensions, ...rpcOf(request) } : extensions,
        body: start,
        isText: body?.asBytes !== true,
        now: surroundings.wallClock(),
      });
      try {
        const bytes = await unaryCall(channel, CHECK_PATH, asked, timeoutMs, request);
        return effectOf(checked(CheckResponse.decode(bytes), bytes), request);
      } catch (error) {
        const isOfAuthorizer = error instanceof CallFailed || error instanceof WireError || error instanceof BadAnswer;
        if (!isOfAuthorizer) throw error;
        publishFilterFailure({
          message: `the authorizer ${channel.target} gave no answer that counts: ${error.message}`,
        });
        if (!failureModeAllow) {
          const message = 'the request could not be authorized; try again';
          throw StatusError.http(statusOnError, message, { refusedBy: 'ext_authz' });
        }
        return settings.failureModeAllowHeader === true ? told(request, [FAILURE_HEADER, 'true']) : undefined;
      }
    };
  };
  return {
    filter: filterWith({}),
    forRoute({ extAuthz: own }) {
      if (own !== undefined) return filterWith(own);
      throw new OptionError('it is a filter of ext_authz; a route may say ext_authz or disabled', 'config-type');
    },
  };
}

/**
 * An empty answer lets the request pass, as in Envoy. One that has bytes and none of the members says something else than an
 * authorizer does, and who says how it denies does not let pass.
 * @throws BadAnswer
 */
function checked(answer: CheckAnswer, bytes: Buffer): CheckAnswer {
  const { status, deniedResponse, okResponse } = answer;
  if (deniedResponse !== undefined && (status?.code ?? Code.OK) === Code.OK) {
    throw new BadAnswer('it has denied_response, and its status is OK');
  }
  if (status === undefined && okResponse === undefined && bytes.length > 0) {
    throw new BadAnswer('it has neither status nor ok_response');
  }
  return answer;
}

/** The authorizer's answer cannot be followed. */
class BadAnswer extends Error {}

function told({ headers }: FilteredRequest, identity: HeaderFields): FilterEffect {
  const names = new Set(headerPairs(identity).map(([name]) => name));
  return { headers: [...withoutFields(headers, (name) => names.has(name)), ...identity], identity };
}

function headerTest({ allowedHeaders, disallowedHeaders = [] }: ExtAuthzSettings): (name: string) => boolean {
  const always = (): boolean => true;
  const allowed = allowedHeaders?.map((test) => compileText(test) ?? always);
  const disallowed = disallowedHeaders.map((test) => compileText(test) ?? always);
  return (name) => {
    if (disallowed.some((test) => test(name))) return false;
    return allowed === undefined || allowed.some((test) => test(name));
  };
}

function extensionsOf(
  { contextExtensions: common = [] }: ExtAuthzSettings,
  { contextExtensions: own = [] }: RouteAuthzSettings,
): Record<string, string> {
  return Object.fromEntries([...common, ...own].map(({ name, value }) => [name, value]));
}

function rpcOf(request: FilteredRequest): Record<string, string> {
  const rpc = request.rpc();
  return rpc === undefined ? {} : { rpc };
}

/** @throws StatusError 413 */
async function bodyOf(
  request: FilteredRequest,
  { maxBytes, allowPartial = false }: NonNullable<ExtAuthzSettings['withRequestBody']>,
): Promise<BodyStart> {
  const start = await request.body(maxBytes);
  if (start.isWhole || allowPartial) return start;
  throw StatusError.http(
    413,
    `the body is larger than the limit of ${maxBytes} bytes (with_request_body.max_bytes); send less`,
  );
}

interface Asked {
  readonly isSent: (name: string) => boolean;
  readonly extensions: Readonly<Record<string, string>>;
  readonly body: BodyStart | undefined;
  readonly isText: boolean;
  readonly now: number;
}

function checkRequest(request: FilteredRequest, { isSent, extensions, body, isText, now }: Asked): Buffer {
  // As the router reads it: needless escapes are no way past a rule of the authorizer.
  const path = targetOf({ path: routerForm(request.path), query: request.query });
  const scheme = schemeOf(request);
  const { method, host, requestId: id, protocol, address, peerPort: portValue } = request;
  const ofConnection = new Set([...connectionHeaders, ...headerTokens(request.headers, 'connection')]);
  const own = withoutFields(
    request.headers,
    (name) => ofConnection.has(name) || isDerivedByProxy(name) || name === 'host' || name === 'x-request-id',
  );
  const fields = [
    ...[':method', method, ':path', path, ':authority', host, ':scheme', scheme, 'x-request-id', id],
    ...own,
    ...request.forwarded,
    ...(body === undefined ? [] : ['x-envoy-auth-partial-body', String(!body.isWhole)]),
  ];
  const isPipe = address === 'unix' || address === 'unknown';
  return CheckRequest.encode({
    attributes: {
      source: {
        address: {
          socketAddress: isPipe ? undefined : { address, portValue },
          pipe: isPipe ? { path: address } : undefined,
        },
        principal: request.hasCertificate ? (request.certificateSubject ?? '') : '',
      },
      request: {
        time: { seconds: Math.floor(now / 1000), nanos: (Math.floor(now) % 1000) * 1_000_000 },
        http: {
          ...{ id, method, path, host, scheme, protocol },
          headers: entriesOf(joined(fields, isSent)),
          // As in Envoy, it is known of a body that is read.
          size: body === undefined ? 0 : Number(header(request.headers, 'content-length') ?? body.bytes.length),
          body: isText && body !== undefined ? body.bytes.toString('utf8') : '',
          rawBody: isText || body === undefined ? Buffer.alloc(0) : body.bytes,
        },
      },
      contextExtensions: entriesOf(extensions),
    },
  });
}

/** A header that is given several times is one list. */
function joined(fields: HeaderFields, isSent: (name: string) => boolean): Record<string, string> {
  const all = new Map<string, string>();
  for (const [name, value] of headerPairs(fields)) {
    if (!isSent(name)) continue;
    const before = all.get(name);
    all.set(name, before === undefined ? value : `${before},${value}`);
  }
  return Object.fromEntries(all);
}

function entriesOf(map: Readonly<Record<string, string>>): { key: string; value: string }[] {
  return Object.entries(map).map(([key, value]) => ({ key, value }));
}

/** @throws RefusedRequest, BadAnswer */
function effectOf(
  { status, deniedResponse: denied, okResponse: ok }: CheckAnswer,
  request: FilteredRequest,
): FilterEffect {
  if (status !== undefined && status.code !== Code.OK) throw refusal(denied);
  // In proto3, a status that is not there is OK.
  if (ok === undefined) return {};
  const changes = ok.headers.flatMap((option) => changeOf(option, true));
  const removed = new Set(
    ok.headersToRemove.map((name) => name.toLowerCase()).filter((name) => fixedHeader(name) === undefined),
  );
  const kept = withoutFields(request.headers, (name) => removed.has(name));
  const headers = changes.reduce(applied, kept);
  const touched = new Set(changes.map(({ name }) => name));
  const answered = ok.responseHeadersToAdd.flatMap((option) => changeOf(option, false));
  return {
    headers,
    identity: headerPairs(headers)
      .filter(([name]) => touched.has(name))
      .flat(),
    ...(ok.queryParametersToSet.length + ok.queryParametersToRemove.length > 0 && {
      target: { query: queryOf(ok, request.query) },
    }),
    ...(answered.length > 0 && { answer: (fields: HeaderFields) => answered.reduce(applied, fields) }),
  };
}

type Action = 'append_if_there' | 'append' | 'add_if_absent' | 'overwrite' | 'overwrite_if_there';

interface HeaderChange {
  readonly name: string;
  readonly value: string;
  readonly action: Action;
}

const actions: readonly Action[] = ['append', 'add_if_absent', 'overwrite', 'overwrite_if_there'];

/**
 * None for a header that nobody may change.
 * @param ofRequest headers of requests are overwritten if nothing else is said, and those of answers are appended
 * @throws BadAnswer
 */
function changeOf({ header: given, append, appendAction }: HeaderOption, ofRequest: boolean): HeaderChange[] {
  const name = given?.key.toLowerCase() ?? '';
  const value = given === undefined ? '' : given.value === '' ? given.rawValue.toString('latin1') : given.value;
  if (fixedHeader(name) !== undefined) return [];
  if (!isHeaderName(name) || /[^\t\x20-\x7e]/.test(value))
    throw new BadAnswer(`it sets the header ${JSON.stringify(name)} to what no header may be`);
  const chosen = append === undefined ? actions[appendAction] : append.value === 0 ? 'overwrite' : 'append';
  const usual = append === undefined && appendAction === 0 && ofRequest ? 'overwrite' : (chosen ?? 'overwrite');
  // As in Envoy, a header of a request is only appended to.
  return [{ name, value, action: usual === 'append' && ofRequest ? 'append_if_there' : usual }];
}

function applied(fields: HeaderFields, { name, value, action }: HeaderChange): HeaderFields {
  const isThere = headerValues(fields, name).length > 0;
  const replaced = (): HeaderFields => [...withoutFields(fields, (other) => other === name), name, value];
  switch (action) {
    case 'append':
      return [...fields, name, value];
    case 'append_if_there':
      return isThere ? [...fields, name, value] : fields;
    case 'add_if_absent':
      return isThere ? fields : [...fields, name, value];
    case 'overwrite':
      return replaced();
    case 'overwrite_if_there':
      return isThere ? replaced() : fields;
  }
}

function queryOf(ok: NonNullable<CheckAnswer['okResponse']>, query: string | undefined): string | undefined {
  const encoded = (text: string): string => text.replace(/[^\w.~-]+/g, escapeUtf8);
  const dropped = new Set([...ok.queryParametersToSet.map(({ key }) => key), ...ok.queryParametersToRemove]);
  const kept = (query?.split('&') ?? []).filter((pair) => !dropped.has(nameOfPair(pair)));
  const set = ok.queryParametersToSet.map(({ key, value }) => `${encoded(key)}=${encoded(value)}`);
  const all = [...kept, ...set].filter((pair) => pair !== '');
  return all.length === 0 ? undefined : all.join('&');
}

/** @throws BadAnswer */
function refusal(denied: CheckAnswer['deniedResponse']): RefusedRequest {
  const status = denied?.status?.code || 403;
  if (!(status >= 200 && status <= 599))
    throw new BadAnswer(`it denies with the status ${status}, expected 200 to 599`);
  const changes = denied?.headers.flatMap((option) => changeOf(option, false)) ?? [];
  const headers = changes.reduce<HeaderFields>(applied, []);
  const text = denied?.body ?? '';
  const body = text === '' || isBodyless(status) ? undefined : Buffer.from(text);
  const code = status < 400 ? Code.PERMISSION_DENIED : codeOfHttpStatus(status);
  return new RefusedRequest(code, text, { status, headers, body });
}
