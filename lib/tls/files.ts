/**
 * Certificates and keys in PEM files → checked bytes that `node:tls` takes. Used at start and at every renewal, by
 * listeners and upstreams alike. Says what is wrong before OpenSSL does, in words that name the option and the file.
 * Does not judge whether a certificate is trusted or names the right host: that is for whoever connects.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { ConfigError, type Problem, ProblemList } from '../status.js';

/** Paths; undefined where there is none. */
export interface TlsFiles {
  /** The own certificate, followed by the intermediate ones. */
  readonly cert: string | undefined;
  /** Its private key. */
  readonly key: string | undefined;
  /** The authorities that the other side's certificate must come from. */
  readonly ca: string | undefined;
}

/** How messages call the options: `tls_cert`, `upstream_ca`. */
export type TlsNames = Readonly<Record<keyof TlsFiles, string>>;

/** What the files held; it goes together and `createSecureContext` takes it. */
export interface TlsMaterial {
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
  readonly ca: Buffer | undefined;
  /** Certificates that have expired or are not valid yet: `certificate-validity`. */
  readonly warnings: readonly Problem[];
}

/** The largest file that is read; a bundle of all public authorities has a quarter of that. */
const MAX_FILE_BYTES = 1024 ** 2;

/**
 * Reads and checks certificate, key and authorities.
 * @throws ConfigError `tls-incomplete`, `tls-file`, `tls-pem`, `tls-key-encrypted`, `tls-key-mismatch`, `tls-refused`;
 * all that are found.
 */
export function readTlsFiles(files: TlsFiles, names: TlsNames): TlsMaterial {
  const problems = new ProblemList();
  checkPair(files, names, problems);
  const read = (which: keyof TlsFiles): PemFile | undefined => {
    const path = files[which];
    return path === undefined ? undefined : problems.attempt(() => new PemFile(names[which], path));
  };
  const [cert, key, ca] = [read('cert'), read('key'), read('ca')];
  const certificates = cert && problems.attempt(() => cert.certificates());
  const privateKey = key && problems.attempt(() => key.privateKey());
  if (ca !== undefined) problems.attempt(() => ca.certificates());
  const leaf = certificates?.[0];
  if (leaf !== undefined && privateKey !== undefined && !leaf.checkPrivateKey(privateKey)) {
    problems.error({
      code: 'tls-key-mismatch',
      message: `${key!.title} is not the key of ${cert!.title}, whose first certificate is that of ${subjectOf(leaf)}`,
      hint: 'give the key that the certificate was requested with; the own certificate stands first in its file',
    });
  }
  for (const certificate of certificates ?? []) checkValidity(certificate, cert!.title, problems);
  const material = { cert: cert?.bytes, key: key?.bytes, ca: ca?.bytes };
  if (problems.errors.length === 0) problems.attempt(() => checkAccepted(material, cert?.title ?? ca?.title ?? ''));
  problems.throwIfAny();
  return { ...material, warnings: problems.warnings };
}

function checkPair({ cert, key }: TlsFiles, names: TlsNames, problems: ProblemList): void {
  if ((cert === undefined) === (key === undefined)) return;
  const [given, missing] = cert === undefined ? [names.key, names.cert] : [names.cert, names.key];
  problems.error({
    code: 'tls-incomplete',
    message: `${given} is given, but ${missing} is not`,
    hint: `write ${missing} too: a certificate and its private key go together`,
  });
}

/** Whatever else OpenSSL has against them, such as a key that is too short for its security level. */
function checkAccepted(material: Pick<TlsMaterial, 'cert' | 'key' | 'ca'>, title: string): void {
  try {
    createSecureContext(material);
  } catch (error) {
    const message = `${title} is refused by OpenSSL: ${opensslReason(error)}`;
    throw new ConfigError({ code: 'tls-refused', message }, { cause: error });
  }
}

/** `error:0A00018F:SSL routines::ee key too small` → `ee key too small`. */
function opensslReason(error: unknown): string {
  const { reason, message } = error as Error & { reason?: string };
  return reason ?? message.replace(/^error:[0-9A-F]+:[^:]*:[^:]*:/i, '');
}

function checkValidity(certificate: X509Certificate, title: string, problems: ProblemList): void {
  const now = Date.now();
  const expired = Date.parse(certificate.validTo) < now;
  if (!expired && Date.parse(certificate.validFrom) <= now) return;
  const validity = expired ? `expired at ${certificate.validTo}` : `is not valid before ${certificate.validFrom}`;
  problems.warn({
    code: 'certificate-validity',
    message: `the certificate of ${subjectOf(certificate)} in ${title} ${validity}`,
    hint: 'replace the file; it is read again without a restart',
  });
}

function subjectOf({ subject }: X509Certificate): string {
  return subject === undefined ? 'nobody' : subject.split('\n').join(', ').slice(0, 200);
}

/** One PEM file and what is in it. */
class PemFile {
  readonly bytes: Buffer;
  /** `tls_cert server.pem`. */
  readonly title: string;
  private readonly text: string;

  constructor(name: string, path: string) {
    this.title = `${name} ${path}`;
    this.bytes = this.read(path);
    this.text = this.bytes.toString('latin1');
  }

  /** All certificates in order, at least one. */
  certificates(): X509Certificate[] {
    const blocks = this.text.match(/-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g);
    if (blocks === null) throw this.notPem('a certificate', 'openssl x509 -inform der');
    return blocks.map((block, index) => {
      try {
        return new X509Certificate(block);
      } catch (error) {
        const message = `${this.title} cannot be read: its certificate ${index + 1} is damaged`;
        throw new ConfigError({ code: 'tls-pem', message, hint: 'copy the file again, whole' }, { cause: error });
      }
    });
  }

  privateKey(): KeyObject {
    if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(this.text)) {
      throw new ConfigError({
        code: 'tls-key-encrypted',
        message: `${this.title} is encrypted, and there is nobody to ask for its passphrase`,
        hint: 'write the key without one: openssl pkey -in KEY -out PLAIN-KEY, readable by this user alone',
      });
    }
    if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(this.text)) {
      throw this.notPem('a private key', 'openssl pkey -inform der');
    }
    try {
      return createPrivateKey(this.bytes);
    } catch (error) {
      const message = `${this.title} cannot be read: its private key is damaged, or of a kind that is not known`;
      throw new ConfigError({ code: 'tls-pem', message, hint: 'copy the file again, whole' }, { cause: error });
    }
  }

  private read(path: string): Buffer {
    let problem: string;
    try {
      const stats = statSync(path);
      if (!stats.isFile()) problem = 'is no regular file';
      else if (stats.size > MAX_FILE_BYTES) problem = `is larger than ${MAX_FILE_BYTES} bytes, which no PEM file is`;
      else return readFileSync(path);
    } catch (error) {
      problem = `cannot be read: ${readReason(error)}`;
    }
    throw new ConfigError({ code: 'tls-file', message: `${this.title} ${problem}` });
  }

  private notPem(expected: string, convert: string): ConfigError {
    const found = /-----BEGIN ([A-Z0-9 ]{1,40})-----/.exec(this.text)?.[1];
    const message =
      found === undefined
        ? `${this.title} is not PEM text, expected ${expected}`
        : `${this.title} holds a ${found}, expected ${expected}`;
    const hint =
      found === undefined ? `a binary (DER) file is converted by: ${convert} -in FILE -out FILE.pem` : undefined;
    return new ConfigError({ code: 'tls-pem', message, ...(hint === undefined ? {} : { hint }) });
  }
}

function readReason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'there is no such file';
  if (code === 'EACCES' || code === 'EPERM') return 'permission denied';
  return code ?? message;
}
