/** What of a gateway's options decides how its routes are documented. */
export interface OpenApiOptions {
  /** Fields under the names of the `.proto` file. */
  readonly preserveProtoFieldNames: boolean;
  readonly int64AsNumbers: boolean;
  readonly alwaysPrintEnumsAsInts: boolean;
  readonly envelope: 'none' | 'photon';
  readonly errorFormat: 'status' | 'aip193' | 'problem' | 'photon';
}

/** Routes that are found below one prefix, and how they answer. */
export interface DocumentedPart<B> {
  /** `/chainfire`; '' for the root. */
  readonly prefix: string;
  readonly bindings: readonly B[];
  readonly options: OpenApiOptions;
  /** Who may call; undefined: everybody. */
  readonly access?: RouteAccess | undefined;
}

/** Which RPCs need a token. */
export interface RouteAccess {
  /** The request header with the token: behind `Bearer` in `authorization`, bare in any other. */
  readonly header: string;
  /** By claim the values of which a token needs one; undefined where the RPC needs no token. */
  claimsFor(rpc: string): ReadonlyMap<string, readonly string[]> | undefined;
}

/** What stands at the head of a document. */
export interface DocumentInfo {
  readonly title: string;
  /** Of the API, not of OpenAPI. */
  readonly version: string;
  readonly description?: string | undefined;
  /** Base URL of the paths; default `/`, which is wherever the document came from. */
  readonly server?: string | undefined;
}

/** A piece of JSON of the document. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: Json;
}

/** The object without the members that are undefined. */
export function compact(members: Readonly<Record<string, Json | undefined>>): JsonObject {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as JsonObject;
}
