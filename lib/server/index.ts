export { BodyReader } from './body.js';
export {
  bodyWasRead,
  type EmbeddedExchange,
  embeddedRequest,
  missedUpgrade,
  type NodeRequest,
  type NodeResponse,
  type RequestStart,
} from './embedded.js';
export { embeddedUpgrade, ignoreUpgrade, refuseOtherUpgrades } from './embedded-upgrade.js';
export { SocketAcceptor } from './websocket.js';
export { parseListener, type ListenAddress, urlOf } from './address.js';
export { listen, type Listener } from './listener.js';
export {
  type ClientCertificates,
  defaultListenerOptions,
  type ExchangeHandler,
  type ListenerOptions,
} from './options.js';
export { dispatch, type ServedExchange } from './refusal.js';
export { checkListenerTls } from './tls.js';
