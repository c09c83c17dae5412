import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { toOffset } from '@playhead/schemas';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openChdbCatalog } from '../src/open-chdb-catalog.ts';
import { numberedFlush } from './numbered-flush.ts';

const ROUNDS = 5;
const WRITER = fileURLToPath(new URL('./endless-writer.ts', import.meta.url));

let path: string;
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'playhead-catalog-kill-'));
});
afterEach(() => rm(path, { recursive: true, force: true }));

/** Runs a writer, kills it (SIGKILL) after `acks` acknowledged flushes, `delayMs` into the next; the last number it acknowledged. */
async function writeAndKill(acks: number, delayMs: number): Promise<number> {
  const writer = spawn(process.execPath, [WRITER, path], { stdio: ['ignore', 'pipe', 'pipe'] });
  let complaint = '';
  writer.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  const exited = once(writer, 'exit');
  let last = -1;
  let seen = 0;
  for await (const line of createInterface({ input: writer.stdout })) {
    last = Number(line);
    if (++seen === acks) setTimeout(() => writer.kill('SIGKILL'), delayMs);
  }
  const [, signal] = await exited;
  if (signal !== 'SIGKILL') throw new Error(`the writer ended by itself: ${complaint}`);
  return last;
}

describe('a catalog whose process is killed', () => {
  test(`[CA9] keeps every flush that was acknowledged, and [CA3] shows no chain end without its blocks, ${ROUNDS} times`, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const acknowledged = await writeAndKill(3 + round, round * 7);
      const catalog = await openChdbCatalog({ path });
      try {
        const { chainEnd, flushesNext } = await catalog.progress(0);
        expect(chainEnd).toBeGreaterThanOrEqual(acknowledged);
        expect(flushesNext).toBe(chainEnd + 1);
        const offsets = Array.from({ length: chainEnd + 1 }, (_, n) => n);
        for (const sessionId of ['session-0', 'session-9']) {
          const { blocks } = await catalog.blocks('shop', sessionId, 0);
          expect(blocks.map((block) => block.flushLastOffset)).toEqual(offsets);
          expect(blocks.every((block) => block.frameIndex.length === 2000)).toBe(true);
          const signals = await catalog.signals('shop', sessionId);
          expect(signals.map((row) => row.position.offset)).toEqual(expect.arrayContaining(offsets));
        }
        // The flush that was under way is applied again: then nothing is there twice.
        const { flush, signals } = numberedFlush(chainEnd + 1);
        await catalog.applyFlush(flush, toOffset(chainEnd + 2), signals);
        const info = await catalog.session('shop', 'session-0');
        expect(info?.counts.clicks).toBe(chainEnd + 2);
        expect(await catalog.signals('shop', 'session-0')).toHaveLength(chainEnd + 2);
      } finally {
        await catalog.close();
      }
    }
  }, 120_000);

  test('another process cannot open the directory, and is told so', async () => {
    const catalog = await openChdbCatalog({ path });
    await expect(writeAndKill(1, 0)).rejects.toThrow(/unavailable|cannot be opened/);
    expect((await catalog.progress(0)).chainEnd).toBe(-1);
    await catalog.close();
  });
});
