/**
 * All rules of google-proto-files, about 15 000, behind one gateway: the requests of their curl lines, generated requests, and
 * the OpenAPI document of each package.
 *
 *     node --import tsx test/google/main.ts FOLDER [EVERY_RULE [EVERY_PACKAGE]]
 *
 * With EVERY_RULE, requests are generated for one rule of so many; with EVERY_PACKAGE, one document of so many is made.
 */
import { checkCurlLines } from './curl.js';
import { checkDocuments } from './documents.js';
import { loadGoogle } from './google.js';
import { checkRequests } from './requests.js';

const [folder, everyRule = '1', everyPackage = '1'] = process.argv.slice(2) as [string, string?, string?];
const google = loadGoogle(folder);
const passed = [
  await checkCurlLines(google),
  await checkRequests(google, folder, Number(everyRule)),
  await checkDocuments(google, Number(everyPackage)),
];
process.exitCode = passed.every(Boolean) ? 0 : 1;
