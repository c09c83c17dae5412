import { openClickHouseCatalog } from '../src/index.ts';

/** A process that opens a catalog on a server, which migrates it, prints how far it has come, and ends. */
const [url, user, password, database] = process.argv.slice(2);
if (url === undefined || user === undefined || password === undefined || database === undefined) {
  throw new Error('usage: migrating-process <url> <user> <password> <database>');
}
const catalog = await openClickHouseCatalog({ url, user, password, database });
process.stdout.write(`${(await catalog.progress(0)).chainEnd}\n`);
await catalog.close();
