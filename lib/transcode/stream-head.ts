/** The head of a streamed answer, whatever its body is. */
import type { Metadata, RequestHead } from '../exchange.js';
import type { Frame } from '../wire/index.js';
import type { FieldHeaders } from './bound-headers.js';
import type { TranscodeContext } from './context.js';
import { httpStatusOf } from './response.js';

/** What every answer of a binding has in common. */
export interface StreamShared {
  readonly context: TranscodeContext;
  /** `package.Service.Method`, for messages. */
  readonly rpc: string;
  readonly status: number;
  readonly addFieldHeaders: FieldHeaders | undefined;
}

/** Status and headers of an answer, without its content type. */
export function headOf(
  { context, rpc, status, addFieldHeaders }: StreamShared,
  request: RequestHead,
  metadata: Metadata,
  first: Frame | undefined,
): { readonly status: number; readonly headers: string[] } {
  const headers = ['x-request-id', request.requestId];
  context.names.addHeaders(headers, metadata);
  if (first !== undefined) addFieldHeaders?.(first.payload, headers);
  return { status: httpStatusOf(metadata, rpc, request) ?? status, headers };
}

/** True for a status that HTTP gives no body. */
export function isBodyless(status: number): boolean {
  return status === 204 || status === 304;
}
