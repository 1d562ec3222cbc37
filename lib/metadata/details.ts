/**
 * google.rpc.Status details: taken out of `grpc-status-details-bin`, made for our own validation errors, and looked
 * into where one of them means something to HTTP. Types are known here by number alone, so that no schema is needed.
 */
import type { FieldViolation, StatusDetail } from '../status.js';
import { Reader, WireError, Writer } from '../wire/index.js';

const TYPE_PREFIX = 'type.googleapis.com/google.rpc.';

/** The details of a serialized google.rpc.Status; none where it is not one. */
export function parseStatusDetails(bytes: Buffer): StatusDetail[] {
  try {
    const details: StatusDetail[] = [];
    const reader = new Reader(bytes);
    while (!reader.done) {
      const tag = reader.tag();
      if (tag === DETAILS_TAG) details.push(parseAny(reader.bytes()));
      else reader.skip(tag);
    }
    return details;
  } catch (error) {
    if (error instanceof WireError) return [];
    throw error;
  }
}

const tagOf = (number: number): number => (number << 3) | 2;
const DETAILS_TAG = tagOf(3);

function parseAny(bytes: Buffer): StatusDetail {
  const reader = new Reader(bytes);
  let typeUrl = '';
  let value = Buffer.alloc(0);
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === tagOf(1)) typeUrl = reader.bytes().toString('utf8');
    else if (tag === tagOf(2)) value = Buffer.from(reader.bytes());
    else reader.skip(tag);
  }
  return { typeUrl, value };
}

/** Field violations as a google.rpc.BadRequest. */
export function badRequestDetail(violations: readonly FieldViolation[]): StatusDetail {
  const out = new Writer();
  for (const { field, description } of violations) {
    out.uint32(tagOf(1));
    const mark = out.begin();
    out.uint32(tagOf(1));
    out.string(field.toWellFormed());
    out.uint32(tagOf(2));
    out.string(description.toWellFormed());
    out.finish(mark);
  }
  return { typeUrl: `${TYPE_PREFIX}BadRequest`, value: out.take() };
}

/** True for google.rpc.DebugInfo, which is for developers and not for clients. */
export function isDebugInfo(detail: StatusDetail): boolean {
  return detail.typeUrl === `${TYPE_PREFIX}DebugInfo`;
}

/** Whole seconds after which a google.rpc.RetryInfo among the details says to try again. */
export function retryAfterSeconds(details: readonly StatusDetail[]): number | undefined {
  const info = details.find(({ typeUrl }) => typeUrl === `${TYPE_PREFIX}RetryInfo`);
  if (info === undefined) return undefined;
  try {
    return retryDelay(new Reader(Buffer.from(info.value)));
  } catch (error) {
    if (error instanceof WireError) return undefined;
    throw error;
  }
}

function retryDelay(reader: Reader): number | undefined {
  let seconds: number | undefined;
  while (!reader.done) {
    const tag = reader.tag();
    if (tag === tagOf(1)) seconds = durationSeconds(new Reader(reader.bytes()));
    else reader.skip(tag);
  }
  return seconds;
}

function durationSeconds(reader: Reader): number | undefined {
  let seconds = 0;
  while (!reader.done) {
    const tag = reader.tag();
    reader.varint64();
    const value = reader.high * 2 ** 32 + (reader.low >>> 0);
    if (tag === 1 << 3) seconds += value;
    else if (tag === 2 << 3) seconds += value / 1e9;
  }
  return seconds < 0 ? undefined : Math.ceil(seconds);
}

/** An error as a serialized google.rpc.Status, which is what `grpc-status-details-bin` holds. */
export function statusBytes(code: number, message: string, details: readonly StatusDetail[]): Buffer {
  const out = new Writer();
  if (code !== 0) {
    out.uint32(1 << 3);
    out.uint32(code);
  }
  out.uint32(tagOf(2));
  out.string(message.toWellFormed());
  for (const { typeUrl, value } of details) {
    out.uint32(DETAILS_TAG);
    const mark = out.begin();
    out.uint32(tagOf(1));
    out.string(typeUrl);
    out.uint32(tagOf(2));
    out.bytes(value);
    out.finish(mark);
  }
  return out.take();
}
