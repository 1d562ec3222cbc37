/**
 * Names the Buf modules that contain widely used imports. Buf keeps them out of the source tree, so they are missing if its
 * files are read without Buf.
 */

/** Prefixes of import names and the modules of the Buf registry that contain them. The first match counts. */
const MODULES: readonly (readonly [prefix: string, module: string])[] = [
  ['amino/', 'cosmos/cosmos-sdk'],
  ['buf/validate/', 'bufbuild/protovalidate'],
  ['cel/', 'google/cel-spec'],
  ['cosmos/ics23/', 'cosmos/ics23'],
  ['cosmos/', 'cosmos/cosmos-sdk'],
  ['cosmos_proto/', 'cosmos/cosmos-proto'],
  ['envoy/', 'envoyproxy/envoy'],
  ['gnostic/', 'gnostic/gnostic'],
  ['gogoproto/', 'cosmos/gogo-proto'],
  ['google/', 'googleapis/googleapis'],
  ['ibc/', 'cosmos/ibc'],
  ['opentelemetry/', 'opentelemetry/opentelemetry'],
  ['protoc-gen-openapiv2/', 'grpc-ecosystem/grpc-gateway'],
  ['protoc-gen-openapiv3/', 'grpc-ecosystem/grpc-gateway'],
  ['tendermint/', 'tendermint/tendermint'],
  ['udpa/', 'cncf/xds'],
  ['validate/', 'envoyproxy/protoc-gen-validate'],
  ['xds/', 'cncf/xds'],
];

/** A hint for an import that was not found. */
export function whereImportsComeFrom(name: string): string {
  const module = MODULES.find(([prefix]) => name.startsWith(prefix))?.[1];
  const folder = 'add the folder that it is relative to with --proto-path';
  const image = '"buf build -o image.binpb" and --descriptor-set image.binpb';
  if (module === undefined) {
    return `${folder}; if Buf has it: "buf export . -o all" and --proto-path all, or ${image}`;
  }
  return `${folder}, which "buf export buf.build/${module} -o DIR" writes; or, if the protos are a module of Buf, take ${image}`;
}
