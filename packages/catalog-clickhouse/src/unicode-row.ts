import type { SqlRow } from './sql-client.ts';

/**
 * The row with U+FFFD for every half of a surrogate pair: a text that was cut within an emoji has one, and ClickHouse takes no row with
 * it, however often it is tried.
 */
export function unicodeRow(row: SqlRow): SqlRow {
  return isUnicode(row) ? row : (unicodeOf(row) as SqlRow);
}

function isUnicode(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed();
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([name, held]) => name.isWellFormed() && isUnicode(held));
}

function unicodeOf(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed();
  if (Array.isArray(value)) return value.map(unicodeOf);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, held]) => [name.toWellFormed(), unicodeOf(held)]));
}
