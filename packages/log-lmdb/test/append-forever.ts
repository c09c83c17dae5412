/**
 * A process that appends to a log until it is killed, and prints one line `<partition> <offset> <counter>` for every
 * record that was acknowledged. Arguments: path, partitions, appends in flight, bytes of a body.
 */
import { writeSync } from 'node:fs';
import { openLmdbLog } from '@playhead/log-lmdb';
import { anUpload } from '@playhead/testkit';
import { v8Codec } from './v8-codec.ts';

const [path = '', partitions = '1', inFlight = '1', bodyBytes = '0'] = process.argv.slice(2);
const log = await openLmdbLog({ path, partitions: Number(partitions), codec: v8Codec });
let counter = 0;

async function appendForever(): Promise<void> {
  for (;;) {
    const mine = counter++;
    const partition = mine % log.partitions;
    const body = new Uint8Array(Number(bodyBytes)).fill(mine % 251);
    try {
      const offset = await log.append('playhead.uploads', partition, `key-${mine}`, anUpload({ counter: mine, body }));
      // Synchronous, so that a line is out before anything else happens.
      writeSync(1, `${partition} ${offset} ${mine}\n`);
    } catch (error) {
      writeSync(2, `${error instanceof Error && 'code' in error ? String(error.code) : String(error)}\n`);
      return;
    }
  }
}

await Promise.all(Array.from({ length: Number(inFlight) }, appendForever));
await log.close();
