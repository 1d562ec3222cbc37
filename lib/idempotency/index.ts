export { Idempotency, type KeyedRequest, type Reservation } from './idempotency.js';
export { MemoryStore } from './memory-store.js';
export { idempotencyOptions, type IdempotencyOptions, type IdempotencySettings } from './options.js';
export { RedisStore } from './redis-store.js';
export { type IdempotencyStore, StoreError } from './store.js';
