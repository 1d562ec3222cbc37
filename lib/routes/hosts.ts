/** Host names → virtual hosts: exact names first, then `*.suffix`, then `prefix.*`, the longer first, then `*`. */

export class HostTable<T> {
  private readonly exact = new Map<string, T>();
  private readonly suffixes: (readonly [suffix: string, value: T])[] = [];
  private readonly prefixes: (readonly [prefix: string, value: T])[] = [];
  private any: T | undefined;
  private readonly all: readonly T[];

  /** @param ignorePort ports of requests are left out */
  constructor(
    hosts: readonly { readonly domains: readonly string[]; readonly value: T }[],
    private readonly ignorePort: boolean,
  ) {
    for (const { domains, value } of hosts) for (const domain of domains) this.add(domain, value);
    this.all = hosts.map(({ value }) => value);
    this.suffixes.sort(([a], [b]) => b.length - a.length);
    this.prefixes.sort(([a], [b]) => b.length - a.length);
  }

  private add(domain: string, value: T): void {
    if (domain === '*') this.any = value;
    else if (domain.startsWith('*')) this.suffixes.push([domain.slice(1), value]);
    else if (domain.endsWith('*')) this.prefixes.push([domain.slice(0, -1), value]);
    else this.exact.set(domain, value);
  }

  /** The one for all hosts first, then in the order in which they are written. */
  values(): readonly T[] {
    const { any, all } = this;
    return any === undefined ? all : [any, ...all.filter((value) => value !== any)];
  }

  /** @param host in lower case */
  find(host: string): T | undefined {
    const name = this.ignorePort ? host.replace(/:\d+$/, '') : host;
    const exact = this.exact.get(name);
    if (exact !== undefined) return exact;
    // The wildcard stands for one character at least.
    const isLonger = ([part]: readonly [string, T]): boolean => name.length > part.length;
    const found =
      this.suffixes.find((entry) => isLonger(entry) && name.endsWith(entry[0])) ??
      this.prefixes.find((entry) => isLonger(entry) && name.startsWith(entry[0]));
    return found === undefined ? this.any : found[1];
  }
}
