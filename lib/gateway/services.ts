/** Which services a gateway serves: those that options name, as callers may see them, and those of its transcoders. */
import { selectServices } from '../rule/index.js';
import type { Schema, ServiceDescriptor } from '../schema/index.js';
import type { ProblemList } from '../status.js';
import type { GatewayOptions } from './options.js';

/** Without names all, with an empty list none. */
export function servicesOf(
  schema: Schema,
  names: readonly string[] | undefined,
  problems: ProblemList,
): readonly ServiceDescriptor[] {
  return names?.length === 0 ? [] : selectServices(schema, names ?? [], problems);
}

/**
 * The services as callers see them. Where something may be hidden, a service does not answer grpc.reflection itself: it would
 * tell all.
 */
export function visibleServices(
  whole: readonly ServiceDescriptor[],
  schema: Schema,
  { visibility }: GatewayOptions,
): readonly ServiceDescriptor[] {
  if (visibility === undefined) return whole;
  const names = new Set(whole.map(({ fullName }) => fullName).filter((name) => !name.startsWith('grpc.reflection.')));
  return schema.services.filter(({ fullName }) => names.has(fullName));
}

/** All of them once, those of transcoders behind the gateway's own. */
export function withServicesOf(
  others: readonly { readonly services: readonly { readonly name: string }[] }[],
  own: readonly ServiceDescriptor[],
  schema: Schema,
): readonly ServiceDescriptor[] {
  if (others.length === 0) return own;
  const names = new Set(others.flatMap(({ services }) => services.map(({ name }) => name)));
  return [...new Set([...own, ...schema.services.filter(({ fullName }) => names.has(fullName))])];
}
