/** docs/envoy-keys.md is what the tables of keys say. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { envoyKeysPage } from './envoy-page.js';

const page = readFileSync(new URL('../../docs/envoy-keys.md', import.meta.url), 'utf8');
t.equal(page, envoyKeysPage(), 'npm run docs -- options writes it');
t.match(page, /\| `static_resources\.listeners\[\]\.name` \| no effect \|/);
