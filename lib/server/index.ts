export { parseListener, type ListenAddress, urlOf } from './address.js';
export { listen, type Listener } from './listener.js';
export {
  type ClientCertificates,
  defaultListenerOptions,
  type ExchangeHandler,
  type ListenerOptions,
} from './options.js';
export { checkListenerTls } from './tls.js';
