/** The certificates of `certificates/make.sh`, and files that are replaced while somebody serves from them. */
import { copyFileSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { tlsChannel, type TlsEvent } from '../../lib/tls/index.js';

/** Path of `NAME.pem`. */
export function certificate(name: string): string {
  return fileURLToPath(new URL(`certificates/${name}.pem`, import.meta.url));
}

export function pem(name: string): Buffer {
  return readFileSync(certificate(name));
}

/** A folder with copies, `cert.pem` and `key.pem`, that can be replaced. */
export class RenewableFiles {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'photongate-tls-'));
  readonly cert: string = join(this.folder, 'cert.pem');
  readonly key: string = join(this.folder, 'key.pem');

  constructor(name: string) {
    this.replace(name);
  }

  /** Puts others in their place, each by a rename. */
  replace(name: string, keyName: string = `${name}-key`): void {
    this.replaceFile(certificate(name), this.cert);
    this.replaceFile(certificate(keyName), this.key);
  }

  private replaceFile(from: string, to: string): void {
    copyFileSync(from, `${to}.new`);
    renameSync(`${to}.new`, to);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}

/** The next word on renewed files whose subject starts with `subject`. */
export function nextTlsEvent(subject: string): Promise<TlsEvent> {
  return new Promise((resolve) => {
    const onEvent = (message: unknown): void => {
      const event = message as TlsEvent;
      if (!event.subject.startsWith(subject)) return;
      tlsChannel.unsubscribe(onEvent);
      resolve(event);
    };
    tlsChannel.subscribe(onEvent);
  });
}
