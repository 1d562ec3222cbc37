/**
 * The messages of `envoy.service.auth.v3.Authorization`, as far as they are asked and answered here. Described as data: the
 * protos of Envoy import some forty files, and nothing else needs them.
 */
import { bytes, type Decoded, defineMessage, int64, list, optional, text, uint32 } from '../wire/index.js';

export const CHECK_PATH = '/envoy.service.auth.v3.Authorization/Check';

const mapEntry = defineMessage({ key: [1, text], value: [2, text] });
const bool = uint32;

const socketAddress = defineMessage({ address: [2, text], portValue: [3, uint32] });
const pipe = defineMessage({ path: [1, text] });
const address = defineMessage({ socketAddress: [1, optional(socketAddress)], pipe: [2, optional(pipe)] });
const peer = defineMessage({ address: [1, optional(address)], principal: [4, text] });
const timestamp = defineMessage({ seconds: [1, int64], nanos: [2, uint32] });

const httpRequest = defineMessage({
  id: [1, text],
  method: [2, text],
  headers: [3, list(mapEntry)],
  path: [4, text],
  host: [5, text],
  scheme: [6, text],
  size: [9, int64],
  protocol: [10, text],
  body: [11, text],
  rawBody: [12, bytes],
});

const request = defineMessage({ time: [1, optional(timestamp)], http: [2, optional(httpRequest)] });

const attributes = defineMessage({
  source: [1, optional(peer)],
  request: [4, optional(request)],
  contextExtensions: [10, list(mapEntry)],
});

/** envoy.service.auth.v3.CheckRequest */
export const CheckRequest = defineMessage({ attributes: [1, optional(attributes)] });

export const headerValue = defineMessage({ key: [1, text], value: [2, text], rawValue: [3, bytes] });
const boolValue = defineMessage({ value: [1, bool] });
const headerOption = defineMessage({
  header: [1, optional(headerValue)],
  append: [2, optional(boolValue)],
  appendAction: [3, uint32],
});
const queryParameter = mapEntry;

const denied = defineMessage({
  status: [1, optional(defineMessage({ code: [1, uint32] }))],
  headers: [2, list(headerOption)],
  body: [3, text],
});

const ok = defineMessage({
  headers: [2, list(headerOption)],
  headersToRemove: [5, list(text)],
  responseHeadersToAdd: [6, list(headerOption)],
  queryParametersToSet: [7, list(queryParameter)],
  queryParametersToRemove: [8, list(text)],
});

/** envoy.service.auth.v3.CheckResponse */
export const CheckResponse = defineMessage(
  {
    status: [1, optional(defineMessage({ code: [1, uint32] }))],
    deniedResponse: [2, optional(denied)],
    okResponse: [3, optional(ok)],
  },
  ['deniedResponse', 'okResponse'],
);

export type CheckAnswer = Decoded<typeof CheckResponse>;
export type HeaderOption = Decoded<typeof headerOption>;
