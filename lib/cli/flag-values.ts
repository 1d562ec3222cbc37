/** What yargs gives for one flag: absent, once, or repeated. */
export type FlagValue = string | boolean | readonly (string | boolean)[] | undefined;
export type FlagValues = Readonly<Record<string, FlagValue>>;
