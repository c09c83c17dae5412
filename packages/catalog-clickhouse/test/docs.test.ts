import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Catalog } from '@playhead/ports';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SqlClient } from '../src/index.ts';
import { openChdb, openChdbCatalog } from '../src/open-chdb-catalog.ts';
import { fillShopWeek } from './shop-week.ts';

const DOCS = new URL('../../../docs/clickhouse.md', import.meta.url);
const text = await readFile(DOCS, 'utf8');
/** Each with the line before it, which says what it asks. */
const examples = [...text.matchAll(/(.*)\n\n```sql\n([\s\S]*?);\n```/g)].map((match) => ({
  says: match[1] ?? '',
  example: match[2] ?? '',
}));
const REFERENCE = /<!-- columns -->\n([\s\S]*?)<!-- \/columns -->/;
const PEOPLES_VIEWS = ['sessions', 'session_events', 'session_blocks', 'session_views', 'flushes', 'merges', 'gaps', 'projection_progress'];

let path: string;
let catalog: Catalog;
let sql: SqlClient;

beforeAll(async () => {
  path = await mkdtemp(join(tmpdir(), 'playhead-catalog-docs-'));
  catalog = await openChdbCatalog({ path });
  sql = openChdb(path);
  await fillShopWeek(catalog, Date.now());
});
afterAll(async () => {
  await sql.close();
  await catalog.close();
  await rm(path, { recursive: true, force: true });
});

describe('docs/clickhouse.md', () => {
  test('has examples', () => {
    expect(examples.length).toBeGreaterThanOrEqual(10);
  });

  test.each(examples)('an example runs and finds something: $says', async ({ example }) => {
    const rows = await sql.query(example);
    expect(rows.length).toBeGreaterThan(0);
  });

  test('an example counts once what was inserted twice', async () => {
    const clicked = examples.find(({ example }) => example.includes("selector = '.checkout-btn'"));
    const rows = await sql.query(clicked?.example ?? '');
    expect(rows.map((row) => Number(row.clicks))).toEqual([4, 4, 4, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
  });

  test('lists every column as the database describes it (run with PLAYHEAD_WRITE_DOCS=1 to write it)', async () => {
    const lines: string[] = [];
    for (const view of PEOPLES_VIEWS) {
      const [table] = await sql.query("SELECT comment FROM system.tables WHERE database = 'playhead' AND name = {view:String}", { view });
      const columns = await sql.query(
        "SELECT name, type, comment FROM system.columns WHERE database = 'playhead' AND table = {view:String} ORDER BY position",
        { view },
      );
      lines.push(`### \`${view}\``, '', `${String(table?.comment)}.`, '', '| column | type | what it is |', '|---|---|---|');
      for (const { name, type, comment } of columns) lines.push(`| \`${String(name)}\` | \`${String(type)}\` | ${String(comment)} |`);
      lines.push('');
    }
    const wanted = lines.join('\n');
    const written = text.replace(REFERENCE, () => `<!-- columns -->\n${wanted}<!-- /columns -->`);
    if (process.env.PLAYHEAD_WRITE_DOCS === '1') await writeFile(DOCS, written);
    expect(await readFile(DOCS, 'utf8')).toBe(written);
  });

  test('every column of every table and view has a comment', async () => {
    const bare = await sql.query("SELECT table, name FROM system.columns WHERE database = 'playhead' AND comment = ''");
    expect(bare).toEqual([]);
    const [all] = await sql.query("SELECT count() AS columns FROM system.columns WHERE database = 'playhead'");
    expect(Number(all?.columns)).toBeGreaterThan(100);
  });
});
