/**
 * Presets: sets of options that make photongate answer as another gateway does, or as Google's published clients expect. An
 * option that is given anywhere, at whatever level, wins over the preset. docs/presets.md says why each option is in one.
 */
import type { GatewayOptions } from '../gateway/index.js';

export type PresetName = 'none' | 'envoy' | 'grpc-gateway' | 'google';

/** Some options are set by presets alone and have no name for people, so not every key is in the option table. */
export type PresetOptions = Readonly<Partial<GatewayOptions> & Record<string, unknown>>;

export const presets: Readonly<Record<PresetName, PresetOptions>> = Object.freeze({
  none: Object.freeze({}),
  envoy: Object.freeze({
    urlUnescape: 'all_characters_except_reserved',
    literalPlus: true,
    ignoreUnknownFields: true,
    ignoreUnexpectedBody: true,
    updateMasks: false,
    systemParameters: false,
    reasonPhrase: false,
    health: false,
    openapi: false,
    docs: false,
    index: false,
    grpcReflection: false,
    checkOrigin: false,
    allowedHosts: Object.freeze(['*']),
  }),
  'grpc-gateway': Object.freeze({
    urlUnescape: 'all_characters',
    lenientBools: true,
    ignoreUnknownQuery: true,
    ignoreUnknownFields: true,
    ignoreUnexpectedBody: true,
    overwritePathFields: true,
    alwaysPrintPrimitiveFields: true,
    streamFormat: 'grpc-gateway',
    grpcGatewayNames: true,
    strictSlash: true,
    reasonPhrase: false,
  }),
  google: Object.freeze({
    ignoreUnknownFields: true,
    emptyStringBodies: true,
    snakeCaseFieldMasks: true,
    methodOverride: true,
    errorFormat: 'aip193',
  }),
});
