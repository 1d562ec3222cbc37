/** What has to hold of every wallet, whatever has happened to it. */
import type { Test } from 'tap';
import type { CloudClient, Loose } from './photoncloud.js';

/** Every wallet's balance is the sum of its transactions, its reserved credit that of its pending reservations. */
export async function addsUp(test: Test, client: CloudClient): Promise<Map<string, Loose>> {
  const all = async (rpc: string, list: string, request: object): Promise<Loose[]> => {
    const found: Loose[] = [];
    let page_token = '';
    do {
      const page = await client.call(rpc, { ...request, page_size: 1000, page_token });
      found.push(...page[list]);
      page_token = page.next_page_token as string;
    } while (page_token !== '');
    return found;
  };
  const found = new Map<string, Loose>();
  for (const wallet of await all('ListWallets', 'wallets', {})) {
    const { project_id } = wallet;
    let balance = 0n;
    for (const transaction of await all('ListTransactions', 'transactions', { project_id })) {
      balance += transaction.amount as bigint;
      if (transaction.balance_after !== balance) test.equal(transaction.balance_after, balance, transaction.id);
    }
    const pending = await all('ListReservations', 'reservations', { project_id, status: 'PENDING' });
    const reserved = pending.reduce<bigint>((sum, { amount }) => sum + (amount as bigint), 0n);
    test.same([wallet.balance, wallet.reserved, wallet.available], [balance, reserved, balance - reserved], project_id);
    found.set(project_id as string, wallet);
  }
  return found;
}
