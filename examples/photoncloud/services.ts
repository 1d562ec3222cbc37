/**
 * PhotonCloud's eleven services: under which names and ports each is known, and how to start it.
 * One process may start them all, on one database.
 */
import { startChainFire } from './chainfire.js';
import { startCreditService } from './creditservice.js';
import { startDeployer } from './deployer.js';
import { startFiberLb } from './fiberlb.js';
import { startFlareDb } from './flaredb.js';
import { startIam } from './iam.js';
import { startK8sHost } from './k8shost.js';
import type { RunningService, StartOptions } from './lib/service.js';
import { startLightningStor } from './lightningstor.js';
import { startNightLight } from './nightlight.js';
import { startPlasmaVmc } from './plasmavmc.js';
import { startPrismNet } from './prismnet.js';

/** One service of PhotonCloud. */
export interface ServiceEntry {
  /** As in `/{service}/api/v1/…` on the port that serves all of them. */
  readonly name: string;
  /** Where the proxy serves it as REST and JSON. */
  readonly httpPort: number;
  /** Where it serves gRPC. */
  readonly grpcPort: number;
  /** Its protobuf package. */
  readonly package: string;
  readonly start: (options: StartOptions) => Promise<RunningService>;
}

export const services: readonly ServiceEntry[] = [
  { name: 'chainfire', httpPort: 8081, grpcPort: 50051, package: 'chainfire.v1', start: startChainFire },
  { name: 'flaredb', httpPort: 8082, grpcPort: 50052, package: 'flaredb.v1', start: startFlareDb },
  { name: 'iam', httpPort: 8083, grpcPort: 50053, package: 'iam.v1', start: startIam },
  { name: 'plasmavmc', httpPort: 8084, grpcPort: 50054, package: 'plasmavmc.v1', start: startPlasmaVmc },
  { name: 'k8shost', httpPort: 8085, grpcPort: 50055, package: 'k8shost.v1', start: startK8sHost },
  { name: 'creditservice', httpPort: 8086, grpcPort: 50056, package: 'creditservice.v1', start: startCreditService },
  { name: 'prismnet', httpPort: 8087, grpcPort: 50057, package: 'prismnet.v1', start: startPrismNet },
  { name: 'nightlight', httpPort: 8088, grpcPort: 50058, package: 'nightlight.v1', start: startNightLight },
  { name: 'lightningstor', httpPort: 8089, grpcPort: 50059, package: 'lightningstor.v1', start: startLightningStor },
  { name: 'fiberlb', httpPort: 8090, grpcPort: 50060, package: 'fiberlb.v1', start: startFiberLb },
  { name: 'deployer', httpPort: 8091, grpcPort: 50061, package: 'deployer.v1', start: startDeployer },
];
