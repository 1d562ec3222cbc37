/** What the process ends with: 0 fine, 1 the configuration or start-up failed, 2 wrong usage. */
export const ExitCode = { OK: 0, FAILURE: 1, USAGE: 2 } as const;
