/** Samples that keep rules: what the rules name, well-known forms, and the plain sample cut to size. */
import { wrappedField } from '../codec/index.js';
import type { FieldDescriptor } from '../schema/types.js';
import type { Constraint, Json } from './options.js';

/** One of each form that protovalidate has a rule for. */
const forms: readonly string[] = [
  'user@example.com',
  'example.com',
  '192.0.2.1',
  '2001:db8::1',
  'https://example.com/',
  '123e4567-e89b-42d3-a456-426614174000',
  '123e4567e89b42d3a456426614174000',
  '01ARZ3NDEKTSV4RRFFQ69G5FAV',
  '192.0.2.1/24',
  '192.0.2.0/24',
  '2001:db8::/32',
  'example.com:443',
  'my.package.Message',
  '.my.package.Message',
  'my_name',
  'MY_NAME',
  'a',
  'A1',
  '1',
];

/** The sample, or one that keeps the rules; the sample itself if none is found. */
export function keptSample(sample: Json, field: FieldDescriptor, constraint: Constraint | undefined): Json {
  if (constraint === undefined || constraint.accepts(sample)) return sample;
  const { type } = (field.message && wrappedField(field.message)) ?? field;
  const texts = type === 'string' && typeof sample === 'string' ? [...sizedSamples(sample, constraint), ...forms] : [];
  const candidates: readonly Json[] = [...constraint.samples, ...texts];
  return candidates.find((candidate) => constraint.accepts(candidate)) ?? sample;
}

function sizedSamples(sample: string, { schema }: Constraint): string[] {
  const { minLength = 0, maxLength = Infinity } = schema as { minLength?: number; maxLength?: number };
  // A longer one is no sample that a person reads.
  const sized = sample.padEnd(Math.min(minLength, 64), '-example').slice(0, maxLength);
  return [sized, sized.replaceAll('-', ''), sized.replaceAll('-', '_')];
}

/** Most elements of a sample. */
const MAX_ELEMENTS = 4;

/** A list of as many elements as the rules ask for, unless they must differ. */
export function repeatedSample(one: Json, constraint: Constraint | undefined): Json {
  const { minItems = 1, uniqueItems } = (constraint?.schema ?? {}) as { minItems?: number; uniqueItems?: boolean };
  return Array.from({ length: uniqueItems === true ? 1 : Math.max(1, Math.min(minItems, MAX_ELEMENTS)) }, () => one);
}
