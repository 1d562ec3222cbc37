/** Schemas of the protos that come with the package, which are needed beside the user's. */
import type { GatewayContext } from '../gateway/index.js';
import { loadSchema, type Schema, type SchemaSources } from '../schema/index.js';
import { ProblemList } from '../status.js';

/** Those of grpc.reflection. */
export const reflectionProtos = ['v1', 'v1alpha'].map((version) => `grpc/reflection/${version}/reflection.proto`);

/** The types that may stand in an Any: those of the schema, and google.rpc's error details, which services send anyway. */
export function withErrorDetails(schema: Schema, details: Schema): GatewayContext['types'] {
  return {
    message: (name) => schema.message(name) ?? details.message(name),
    hides: (name) => schema.hides(name),
  };
}

/**
 * What is needed whether the user's protos import it or not, of the files that come with the package. A schema of its own,
 * so that it cannot clash with what the user's files define.
 */
export function bundled(protos: readonly string[], { annotationsRoot }: SchemaSources): Schema {
  return loadSchema(
    {
      protos,
      protoPaths: [annotationsRoot],
      descriptorSets: [],
      workingDirectory: annotationsRoot,
      annotationsRoot,
    },
    new ProblemList(),
  );
}
