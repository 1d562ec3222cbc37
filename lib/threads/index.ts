export { type ThreadFailure, threadsChannel } from './diagnostics.js';
export { MessageThreads, type ThreadSettings } from './message-threads.js';
