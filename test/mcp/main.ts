/**
 * The official client of Python before a proxy of this process: `node --import tsx test/mcp/main.ts PYTHON`, an interpreter that
 * has the package `mcp`. Exit code 1 if a step went wrong.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { startTestProxy } from '../support/proxy.js';
import { proto } from './client.js';

const script = fileURLToPath(new URL('python.py', import.meta.url));
const proxy = await startTestProxy(proto, { mcp: true });
const child = spawn(process.argv[2]!, [script, `${proxy.url}/mcp`], { stdio: 'inherit' });
const [code] = (await once(child, 'close')) as [number | null];
await proxy.close();
process.exitCode = code === 0 ? 0 : 1;
