export { type ThreadFailure, threadsChannel } from './diagnostics.js';
export { MessageThreads, threadsFor, type ThreadSettings } from './message-threads.js';
