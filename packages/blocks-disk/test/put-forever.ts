/**
 * A process that puts objects until it is killed or fails, and prints the key of each that was put. An object is as long
 * as its name says and filled with one byte. Arguments: path, puts under way, prefix of the keys.
 */
import { writeSync } from 'node:fs';
import { openDiskBlocks } from '@playhead/blocks-disk';

const [path = '', underWay = '1', prefix = ''] = process.argv.slice(2);
const blocks = await openDiskBlocks({ path });
let counter = 0;

async function putForever(): Promise<void> {
  for (;;) {
    const mine = counter++;
    const length = 1_000 + mine * 9_973;
    const key = `${prefix}/${mine % 3}/${mine}-${length}`;
    try {
      await blocks.put(key, [new Uint8Array(length).fill(mine % 251)]);
      writeSync(1, `${key}\n`);
    } catch (error) {
      writeSync(2, `${error instanceof Error && 'code' in error ? String(error.code) : String(error)}\n`);
      return;
    }
  }
}

await Promise.all(Array.from({ length: Number(underWay) }, putForever));
