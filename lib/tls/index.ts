export { tlsChannel, type TlsEvent } from './diagnostics.js';
export { readTlsFiles, type TlsFiles, type TlsMaterial, type TlsNames } from './files.js';
export { watchTlsFiles, type WatchedTlsFiles } from './renewal.js';
