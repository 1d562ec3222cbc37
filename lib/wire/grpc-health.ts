/** The messages of grpc.health.v1 (https://github.com/grpc/grpc/blob/master/doc/health-checking.md). */
import { defineMessage, text, uint32 } from './message.js';
import { WireError } from './reader.js';

/** The paths of its RPCs. */
export const healthPaths = {
  check: '/grpc.health.v1.Health/Check',
  watch: '/grpc.health.v1.Health/Watch',
} as const;

const HealthCheckRequest = defineMessage({ service: [1, text] });
const HealthCheckResponse = defineMessage({ status: [1, uint32] });

/** grpc.health.v1.HealthCheckResponse.ServingStatus. */
const statusNames = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const;
export type ServingStatus = (typeof statusNames)[number];

/** @param service a full name; '' for the server as a whole */
export function healthRequest(service: string): Buffer {
  return HealthCheckRequest.encode({ service });
}

/** What a response says; `UNKNOWN` if it is none. */
export function servingStatusIn(payload: Buffer): ServingStatus {
  try {
    return statusNames[HealthCheckResponse.decode(payload).status] ?? 'UNKNOWN';
  } catch (error) {
    if (error instanceof WireError) return 'UNKNOWN';
    throw error;
  }
}
