/** A file that lines are appended to, written by sonic-boom in the background; what waits for a slow disk is bounded. */
import { closeSync, openSync } from 'node:fs';
import { sonicBoom } from '../packages.js';
import { ConfigError } from '../status.js';
import { quote } from '../uri.js';

/** Lines are handed to the system when so many bytes wait, or so much time has passed: each time costs some 20 us. */
const BUFFER_BYTES = 12 * 1024;
const FLUSH_MS = 250;

/** What waits at most: beyond it lines are dropped, as a proxy must not stop for its log. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024;

export interface LogFile {
  write(line: string): void;
  /** Opens the path anew: another program has moved the file away. */
  reopen(): void;
  /** Writes what waits. */
  close(): void;
}

/**
 * Opens a file, which is made if it is not there.
 * @param onProblem called if lines are lost, once until the reason changes
 * @throws ConfigError `log-file`
 */
export function openLogFile(path: string, onProblem: (problem: string) => void): LogFile {
  try {
    closeSync(openSync(path, 'a'));
  } catch (error) {
    throw new ConfigError(
      {
        code: 'log-file',
        message: `the log file ${quote(path)} cannot be written: ${(error as Error).message}`,
        hint: 'give the path of a file in a folder that exists to --access-log-file (access_log_file)',
      },
      { cause: error },
    );
  }
  let last: string | undefined;
  const report = (problem: string): void => {
    if (problem !== last) onProblem(`lines of the log file ${quote(path)} are lost: ${problem}`);
    last = problem;
  };
  const options = { minLength: BUFFER_BYTES, periodicFlush: FLUSH_MS, maxLength: MAX_WAITING_BYTES };
  const { SonicBoom } = sonicBoom();
  let isClosed = false;
  const file = new SonicBoom({ dest: path, append: true, sync: false, ...options });
  file.on('error', (error: Error) => report(error.message));
  file.on('drop', () => report('the disk is too slow'));
  file.on('drain', () => (last = undefined));
  return {
    write(line) {
      // Requests that began before a reload may end after the file was closed.
      if (!isClosed) file.write(line);
    },
    reopen() {
      // sonic-boom closes descriptors twice after a reopening that failed: so none may.
      try {
        closeSync(openSync(path, 'a'));
      } catch (error) {
        return onProblem(`the log file ${quote(path)} cannot be opened anew: ${(error as Error).message}`);
      }
      file.reopen();
    },
    close() {
      isClosed = true;
      try {
        file.flushSync();
      } catch (error) {
        report((error as Error).message);
      }
      file.end();
    },
  };
}
