export { tlsChannel, type TlsEvent } from './diagnostics.js';
export { type TlsFiles, type TlsMaterial, type TlsNames } from './files.js';
export { watchTlsFiles, type WatchedTlsFiles } from './renewal.js';
