/** What a certificate in PEM says of itself, and whether a private key is its own. */
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { timestampOf } from '../lib/clock.js';
import type { Rule } from '../lib/rules.js';
import type { Fields } from '../lib/resources.js';
import type { Certificate } from './messages.js';

const longestCertificate = 64 * 1024;
const longestKey = 16 * 1024;

/** The rules of a certificate and its key. */
export function pemRules({ certificate, private_key = '' }: Fields<Certificate>): Rule[] {
  return [certificateRule(certificate), keyRule(certificate, private_key)];
}

/** When the certificate runs out. */
export function expiryOf(certificate: string): Certificate['expires_at'] {
  return timestampOf(Date.parse(read(certificate)!.validTo));
}

function certificateRule(pem: string): Rule {
  if (pem === '') return ['certificate', false, 'is missing or empty'];
  if (pem.length > longestCertificate) return ['certificate', false, `is longer than ${longestCertificate} characters`];
  return ['certificate', read(pem) !== undefined, 'is no certificate in PEM: -----BEGIN CERTIFICATE----- and so on'];
}

function keyRule(certificate: string, pem: string): Rule {
  if (pem === '') return ['private_key', false, 'is missing or empty'];
  if (pem.length > longestKey) return ['private_key', false, `is longer than ${longestKey} characters`];
  const key = readKey(pem);
  if (key === undefined) {
    return ['private_key', false, 'is no private key in PEM without a password: -----BEGIN PRIVATE KEY----- and so on'];
  }
  const holder = read(certificate);
  return ['private_key', holder === undefined || holder.checkPrivateKey(key), 'is not the key of the certificate'];
}

/** The first certificate of a text. */
function read(pem: string): X509Certificate | undefined {
  if (pem.length > longestCertificate || !pem.includes('-----BEGIN CERTIFICATE-----')) return undefined;
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

function readKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}
