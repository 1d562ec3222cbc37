/** Sockets that a service manager opened and hands over, by the protocol of systemd (`sd_listen_fds`). */

/** The first descriptor that is handed over. */
export const FIRST_FD = 3;

export interface InheritedSocket {
  readonly fd: number;
  /** As `FileDescriptorName=` gives it; '' without one. */
  readonly name: string;
}

/**
 * What the environment says of them: `LISTEN_FDS`, `LISTEN_FDNAMES`, and `LISTEN_PID`, which names the process that they are
 * meant for.
 */
export function inheritedSockets(
  environment: Readonly<Record<string, string | undefined>>,
  pid: number,
): readonly InheritedSocket[] {
  const { LISTEN_PID, LISTEN_FDS = '', LISTEN_FDNAMES = '' } = environment;
  if (LISTEN_PID !== String(pid) || !/^\d{1,4}$/.test(LISTEN_FDS)) return [];
  const names = LISTEN_FDNAMES.split(':');
  return Array.from({ length: Number(LISTEN_FDS) }, (_, index) => ({ fd: FIRST_FD + index, name: names[index] ?? '' }));
}
