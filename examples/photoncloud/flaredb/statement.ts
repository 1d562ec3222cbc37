/**
 * What has to be known of an SQL text before a database sees it: that it is one statement of a kind that stays within
 * its namespace, how many parameters it takes, and, for errors, where its words are. It does not parse SQL.
 */
import { badRequest } from '../lib/errors.js';

/** A word, literal or sign, and where it begins. */
export interface Token {
  readonly text: string;
  readonly offset: number;
}

/** A statement that may be executed. */
export interface Statement {
  readonly text: string;
  readonly tokens: readonly Token[];
  /** The values that it takes: as many as its highest parameter says. */
  readonly parameters: number;
}

const maxQueryBytes = 64 * 1024;

const tokenPattern =
  /\s+|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|(?<token>'(?:[^']|'')*'?|"(?:[^"]|"")*"?|`(?:[^`]|``)*`?|\[[^\]]*\]?|[\p{L}_][\p{L}\p{N}_$]*|\?\d*|[:@$#][\p{L}\p{N}_]+|\d[\w.]*|[\s\S])/gu;

/**
 * Nothing else: ATTACH reaches other files, PRAGMA and VACUUM change how files are kept, BEGIN and its like would leave
 * a transaction open for whoever comes next.
 */
const kinds = ['SELECT', 'VALUES', 'WITH', 'INSERT', 'REPLACE', 'UPDATE', 'DELETE', 'EXPLAIN', 'ANALYZE'];
const definitions = ['CREATE', 'ALTER', 'DROP'];
const definable = ['TABLE', 'INDEX', 'UNIQUE', 'VIEW', 'TRIGGER'];

/** Reads a statement; INVALID_ARGUMENT if it is none, is several, or is of a kind that is not executed. */
export function readStatement(query: string): Statement {
  if (Buffer.byteLength(query) > maxQueryBytes) throw refused(`is longer than ${maxQueryBytes} bytes`);
  if (query.includes('\0')) throw refused('has a NUL character');
  const all = tokensOf(query);
  const tokens = all.slice(0, lengthOfFirst(all));
  const [first] = tokens;
  if (first === undefined) throw refused('is empty, expected an SQL statement');
  const more = all.slice(tokens.length).find(({ text }) => text !== ';');
  if (more !== undefined) throw refused(`has a second statement at ${placeOf(query, more.offset)}; send one at a time`);
  requireKind(tokens);
  const internal = tokens.find(({ text }, index) => {
    const next = tokens[index + 1]?.text;
    return isClosed(text, next === '(') || (next === '.' && /^["'`[]?temp["'`\]]?$/i.test(text));
  });
  if (internal !== undefined) throw refused(`uses ${internal.text}, which is not open to queries`);
  return { text: query, tokens, parameters: countParameters(tokens) };
}

const closedFunctions =
  /^(?:readfile|writefile|lsmode|sha3_query|load_extension|fts3_tokenizer|sqlite_(?:log|crypt)|sqlite3mc_\w+)$/i;
const closedTables = /^(?:(?:pragma|libsql)_\w*|fsdir|carray|sqlite_(?:dbpage|stmt))$/i;

/**
 * Whether a word names a function or table of the library that reaches beyond the namespace: the files of the machine,
 * how the database is kept, memory, or a statement in a text (`sha3_query`). Quotes do not hide it: SQLite takes even
 * 'fsdir' for a table, but not for a function. A function is one only where a parenthesis follows.
 */
export function isClosed(word: string, called: boolean): boolean {
  const name = word.replace(/^["'`[]|["'`\]]$/g, '');
  return closedTables.test(name) || (called && !word.startsWith("'") && closedFunctions.test(name));
}

/** `line 2, column 7`, both from 1, columns in characters. */
export function placeOf(query: string, offset: number): string {
  const lines = query.slice(0, offset).split('\n');
  return `line ${lines.length}, column ${Array.from(lines.at(-1)!).length + 1}`;
}

function tokensOf(query: string): Token[] {
  const tokens: Token[] = [];
  for (const match of query.matchAll(tokenPattern)) {
    const text = match.groups!['token'];
    if (text !== undefined) tokens.push({ text, offset: match.index });
  }
  return tokens;
}

function requireKind(tokens: readonly Token[]): void {
  const words = tokens.map(({ text }) => text.toUpperCase());
  if (kinds.includes(words[0]!)) {
    if (words[0] !== 'EXPLAIN') return;
    const explained = words[1] === 'QUERY' ? tokens.slice(3) : tokens.slice(1);
    if (explained.length > 0) requireKind(explained);
    return;
  }
  if (!definitions.includes(words[0]!)) {
    // What is no statement at all is left to the database, which says what is wrong with it.
    if (!statements.includes(words[0]!)) return;
    throw refused(`is ${words[0]}, which is not executed; ${[...kinds, ...definitions].join(', ')} are`);
  }
  if (words[1] === undefined || definable.includes(words[1])) return;
  throw refused(`is ${words[0]} ${words[1]}, which is not executed; ${words[0]} takes ${definable.join(', ')}`);
}

/** All other first words of SQLite's statements. */
const statements = [
  ...['ATTACH', 'DETACH', 'PRAGMA', 'VACUUM', 'BEGIN', 'COMMIT', 'END', 'ROLLBACK', 'SAVEPOINT', 'RELEASE', 'REINDEX'],
];

/** How many tokens the first statement has. A trigger has other statements inside, to its last END. */
function lengthOfFirst(tokens: readonly Token[]): number {
  const words = tokens.map(({ text }) => text.toUpperCase());
  if (words[0] === 'CREATE' && words[1] === 'TRIGGER' && words.includes('END')) return words.lastIndexOf('END') + 1;
  const end = words.indexOf(';');
  return end < 0 ? tokens.length : end;
}

function countParameters(tokens: readonly Token[]): number {
  let highest = 0;
  for (const { text } of tokens) {
    if (/^[:@$#]./.test(text)) throw refused(`has the named parameter ${text}; write ? or ?1 instead`);
    if (text.startsWith('?')) highest = text === '?' ? highest + 1 : Math.max(highest, Number(text.slice(1)));
  }
  return highest;
}

function refused(description: string): Error {
  return badRequest([{ field: 'query', description }]);
}
