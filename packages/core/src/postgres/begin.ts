import { sql, type TransactionOptions } from '../sql.js';

const ISOLATION = ['read committed', 'repeatable read', 'serializable'];
/** `SET ROLE "none"` resets the role, quoted or not: it would switch row-level security off. */
const FORBIDDEN_ROLES = ['', 'none'];
const FORBIDDEN_SETTINGS = ['role', 'session_authorization'];

/** The statement that makes a transaction what the options say, apart from its settings. @throws TypeError */
export function modesOf(options: TransactionOptions): string[] {
  const { isolation, readOnly, role } = options;
  const statements: string[] = [];
  if (isolation !== undefined) {
    if (!ISOLATION.includes(isolation))
      throw new TypeError(`isolation must be one of ${ISOLATION.join(', ')}.`);
    statements.push(`set transaction isolation level ${isolation}`);
  }
  if (readOnly) statements.push('set transaction read only');
  if (role !== undefined) {
    if (FORBIDDEN_ROLES.includes(role))
      throw new TypeError(`A transaction cannot take the role ${JSON.stringify(role)}.`);
    statements.push(`set local role ${sql.identifier(role).text}`);
  }
  return statements;
}

/** One statement that sets all of them for this transaction, or undefined. @throws TypeError */
export function settingsOf(options: TransactionOptions): { text: string; values: string[] } | undefined {
  const entries = Object.entries(options.settings ?? {});
  if (entries.length === 0) return undefined;
  for (const [name] of entries) {
    if (FORBIDDEN_SETTINGS.includes(name.toLowerCase())) {
      throw new TypeError(`${name} is not a setting of a transaction; use the option role.`);
    }
  }
  const calls = entries.map((_, i) => `set_config($${2 * i + 1}, $${2 * i + 2}, true)`);
  return { text: `select ${calls.join(', ')}`, values: entries.flat() };
}
