export { type EnvoyActions, withEnvoyPages } from './envoy.js';
export { adminPages, type AdminSource, metricsSource } from './pages.js';
export { bodyText, routesJson } from './routes.js';
export { type AdminListener, type AdminPages, startAdmin } from './server.js';
export { type AskablePool, familiesOf, primaryPages, shareHealth, shareLogLevel, workerAnswers } from './workers.js';
