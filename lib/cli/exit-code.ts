/**
 * What the process ends with: 0 fine, 1 the configuration or start-up failed, 2 wrong usage, 3 no worker could be kept
 * running, 4 (`check --live`) an upstream does not serve what the schema has.
 */
export const ExitCode = { OK: 0, FAILURE: 1, USAGE: 2, WORKERS: 3, UPSTREAM: 4 } as const;
