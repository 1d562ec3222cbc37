export { curlLine } from './curl.js';
