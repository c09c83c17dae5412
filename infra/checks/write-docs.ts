import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { settingsDocument } from '../../server/src/settings.ts';

/** Writes the documents that come from code; `server/test/settings.test.ts` compares them. */
await writeFile(join(import.meta.dirname, '..', '..', 'docs', 'settings.md'), settingsDocument());
