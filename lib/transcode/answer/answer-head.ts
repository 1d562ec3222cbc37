/** The head of an answer, unary or streamed: its status and every header that does not depend on the form of the body. */
import type { Metadata, RequestHead } from '../../exchange.js';
import { metadataText } from '../../metadata/index.js';
import type { Binding } from '../../rule/index.js';
import type { TranscodeContext } from '../context.js';
import { acceptQuery } from '../accept-query.js';
import { ignoredStatusChannel, type IgnoredStatus } from '../diagnostics.js';
import { compileFieldHeaders } from './field-headers.js';

/** Status and headers of one answer. */
export interface AnswerHead {
  readonly status: number;
  readonly headers: string[];
}

/** @param message the answer, or the first message of a stream; undefined if there is none */
export type HeadWriter = (request: RequestHead, metadata: Metadata, message: Buffer | undefined) => AnswerHead;

/** Compiles the heads of one binding's answers. */
export function compileHead(binding: Binding, { codec, buffers, names }: TranscodeContext): HeadWriter {
  const addFieldHeaders = compileFieldHeaders(binding, codec, buffers.scratch);
  const query = acceptQuery(binding);
  const usualStatus = binding.options.successStatus ?? 200;
  const rpc = binding.method.fullName;
  return (request, metadata, message) => {
    const headers = ['x-request-id', request.requestId];
    if (query !== undefined) headers.push('accept-query', query);
    names.addHeaders(headers, metadata);
    if (message !== undefined) addFieldHeaders?.(message, headers);
    return { status: serviceStatus(metadata, rpc, request) ?? usualStatus, headers };
  };
}

/** The success status that the service chose by the header `x-http-code`; undefined if there is none that can be used. */
function serviceStatus(metadata: Metadata, rpc: string, { requestId }: RequestHead): number | undefined {
  const text = metadataText(metadata, 'x-http-code');
  if (text === undefined) return undefined;
  const status = /^[23]\d\d$/.test(text) ? Number(text) : undefined;
  const needsRange = status === 206 && metadataText(metadata, 'content-range') === undefined;
  if (status !== undefined && !needsRange) return status;
  if (ignoredStatusChannel.hasSubscribers) {
    const reason = needsRange ? 'expected content-range beside 206' : 'expected 200 to 399';
    ignoredStatusChannel.publish({ rpc, requestId, found: text, reason } satisfies IgnoredStatus);
  }
  return undefined;
}
