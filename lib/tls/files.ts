/**
 * Certificates and keys in PEM files → checked bytes for `node:tls`. Listeners and upstreams use it at the start and at
 * every renewal. Problems are found before OpenSSL sees them, and named by option and file. Trust and host names are
 * checked by whoever connects.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { wallClock } from '../clock.js';
import { ConfigError, type Problem, ProblemList } from '../status.js';

/** Paths of the files, or what they hold as `data:` URLs in base64; undefined: none. */
export interface TlsFiles {
  /** The certificate, followed by intermediate ones. */
  readonly cert: string | undefined;
  /** Its private key. */
  readonly key: string | undefined;
  /** The authorities that must have signed the peer's certificate. */
  readonly ca: string | undefined;
}

/** The names of the options in messages: `tls_cert`, `upstream_ca`. */
export type TlsNames = Readonly<Record<keyof TlsFiles, string>>;

/** The contents of the files, which match and which `createSecureContext` accepts. */
export interface TlsMaterial {
  readonly cert: Buffer | undefined;
  readonly key: Buffer | undefined;
  readonly ca: Buffer | undefined;
  /** Certificates that have expired or are not yet valid: `certificate-validity`. */
  readonly warnings: readonly Problem[];
}

/** Largest file that is read; a bundle of all public authorities has a quarter of that. */
const MAX_FILE_BYTES = 1024 ** 2;

/**
 * Reads and checks certificate, key and authorities.
 * @throws ConfigError with all problems: `tls-incomplete`, `tls-file`, `tls-pem`, `tls-key-encrypted`,
 * `tls-key-mismatch`, `tls-refused`.
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
      hint: "give the key of this certificate; the first certificate in the file must be the server's own",
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

/** Lets OpenSSL check what is not checked here, such as a key that is too short for its security level. */
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
  const now = wallClock().getTime();
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

/** One PEM file. */
class PemFile {
  readonly bytes: Buffer;
  /** `tls_cert server.pem`. */
  readonly title: string;
  private readonly text: string;

  constructor(name: string, path: string) {
    this.title = path.startsWith('data:') ? `${name} (given itself)` : `${name} ${path}`;
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
        throw new ConfigError({ code: 'tls-pem', message, hint: 'copy the complete file again' }, { cause: error });
      }
    });
  }

  privateKey(): KeyObject {
    if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(this.text)) {
      throw new ConfigError({
        code: 'tls-key-encrypted',
        message: `${this.title} is encrypted, and photongate does not ask for a passphrase`,
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
      throw new ConfigError({ code: 'tls-pem', message, hint: 'copy the complete file again' }, { cause: error });
    }
  }

  private read(path: string): Buffer {
    let problem: string;
    if (path.startsWith('data:')) return bytesOf(path, this.title);
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

/** `data:application/x-pem-file;base64,…`. @throws ConfigError */
function bytesOf(url: string, title: string): Buffer {
  const [, text] = /^data:[^,]{0,100};base64,([A-Za-z0-9+/]*={0,2})$/.exec(url) ?? [];
  if (text !== undefined && text.length <= 2 * MAX_FILE_BYTES) return Buffer.from(text, 'base64');
  const message = `${title} is no "data:" URL in base64 of at most ${MAX_FILE_BYTES} bytes`;
  throw new ConfigError({ code: 'tls-file', message, hint: 'write data:application/x-pem-file;base64,…, or a path' });
}

function readReason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'there is no such file';
  if (code === 'EACCES' || code === 'EPERM') return 'permission denied';
  return code ?? message;
}
