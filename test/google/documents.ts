/**
 * The OpenAPI document of each package of google-proto-files: its examples fit its schemas, and no request that follows it is
 * refused by a gateway for that package.
 */
import { followDocument } from '../support/openapi.js';
import type { Google } from './google.js';

/** @param every one package of so many */
export async function checkDocuments(google: Google, every: number): Promise<boolean> {
  const packages = [...new Set(google.bindings.map(({ method }) => method.service.file.package))].sort();
  const sums = { examples: 0, requests: 0, faults: 0 };
  for (const name of packages.filter((_name, index) => index % every === 0)) {
    const { examples, requests, faults } = await followDocument(google.build([name]).gateway);
    sums.examples += examples;
    sums.requests += requests;
    sums.faults += faults.length;
    if (sums.faults < 20) for (const fault of faults.slice(0, 5)) console.error(`${name} ${fault.slice(0, 2000)}`);
  }
  console.log(
    `${Math.ceil(packages.length / every)} documents, ${sums.examples} examples, ${sums.requests} requests: ${sums.faults} are refused`,
  );
  return sums.faults === 0 && sums.requests > 0;
}
