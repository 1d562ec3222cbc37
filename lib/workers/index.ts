export { exitText } from './member.js';
export { type AskableWorker, type PoolSettings, type WorkerEvent, WorkerPool, WorkersFailed } from './pool.js';
export { isWorker, runWorker, type Voice, type WorkerJob } from './worker.js';
