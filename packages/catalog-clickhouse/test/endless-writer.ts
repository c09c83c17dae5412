import { toOffset } from '@playhead/schemas';
import { openChdbCatalog } from '../src/open-chdb-catalog.ts';
import { numberedFlush } from './numbered-flush.ts';

/** A process that applies numbered flushes from where the catalog stands, and prints each one that is acknowledged, until it is killed. */
const path = process.argv[2];
if (path === undefined) throw new Error('usage: endless-writer <path>');
const catalog = await openChdbCatalog({ path });
for (let n = (await catalog.progress(0)).chainEnd + 1; ; n++) {
  const { flush, signals } = numberedFlush(n);
  await catalog.applyFlush(flush, toOffset(n + 1), signals);
  process.stdout.write(`${n}\n`);
}
