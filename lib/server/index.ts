export { parseListener, type ListenAddress, urlOf } from './address.js';
export { listen, type Listener } from './listener.js';
export { defaultListenerOptions, type ExchangeHandler, type ListenerOptions } from './options.js';
