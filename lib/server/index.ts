export {
  bodyWasRead,
  EmbeddedConnections,
  type EmbeddedExchange,
  type EmbeddedOptions,
  type FetchLimits,
  missedUpgrade,
  type NodeRequest,
  type NodeResponse,
  type RequestStart,
} from './embedded.js';
export { embeddedUpgrade, ignoreUpgrade, refuseOtherUpgrades } from './embedded-upgrade.js';
export { Progress, type Written } from './progress.js';
export type { Watched } from './pulse.js';
export { SocketAcceptor } from './websocket.js';
export { type ListenAddress, listenError, parseListener, parseListeners, urlOf } from './address.js';
export { refusedChannel, type RefusalReason, type RefusedRequest } from './diagnostics.js';
export { inheritedSockets, type InheritedSocket } from './inherited.js';
export { listen, type Listener } from './listener.js';
export {
  type ClientCertificates,
  defaultListenerOptions,
  type ExchangeHandler,
  listenerOptions,
  type ListenerOptions,
  type NamedCertificate,
} from './options.js';
export { dispatch } from './refusal.js';
export { ServedExchange } from './served-exchange.js';
export { checkListenerTls } from './tls.js';
