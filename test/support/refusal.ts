import { type ServiceError, status as Status } from '@grpc/grpc-js';
import { Schema } from '../../examples/photoncloud/lib/schema.js';

/** How a call failed: code by name, message, and the fields that it blames. */
interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly fields: readonly string[];
}

const badRequests = Schema.load(['google/rpc/status.proto', 'google/rpc/error_details.proto']);

function violatedFields(error: ServiceError): string[] {
  const [bytes] = error.metadata.get('grpc-status-details-bin');
  if (bytes === undefined) return [];
  const status = badRequests.codec<{ details: { type_url: string; value: Buffer }[] }>('google.rpc.Status');
  const codec = badRequests.codec<{ field_violations: { field: string }[] }>('google.rpc.BadRequest');
  return status
    .decode(bytes as Buffer)
    .details.filter(({ type_url }) => type_url.endsWith('google.rpc.BadRequest'))
    .flatMap(({ value }) => codec.decode(value).field_violations.map(({ field }) => field));
}

/** What a call was refused with; code OK where it was not. */
export async function refusal(call: Promise<unknown>): Promise<Refusal> {
  try {
    await call;
  } catch (thrown) {
    const error = thrown as ServiceError;
    if (typeof error.code !== 'number') throw thrown;
    return { code: Status[error.code], message: error.details, fields: violatedFields(error) };
  }
  return { code: 'OK', message: '', fields: [] };
}
