import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLmdbLog } from '@playhead/log-lmdb';
import { NO_OFFSET, TOPICS, toOffset } from '@playhead/schemas';
import { avroCodec } from '@playhead/schemas/records';
import { anUpload, EXAMPLE_RECORDS, eventLogContract, manualClock } from '@playhead/testkit';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openLmdbStore } from '../src/lmdb-store.ts';
import { keyOf } from '../src/record-layout.ts';
import { v8Codec } from './v8-codec.ts';

async function freshPath(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'playhead-log-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

eventLogContract('openLmdbLog', async (setup) => {
  const path = await freshPath();
  const open = () => openLmdbLog({ path, ...setup });
  return { log: await open(), reopen: open };
});

describe('openLmdbLog', () => {
  test('refuses another number of partitions than the log was created with, and tells it', async () => {
    const path = await freshPath();
    await (await openLmdbLog({ path, partitions: 4, codec: v8Codec })).close();
    const refused = openLmdbLog({ path, partitions: 8, codec: v8Codec });
    await expect(refused).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining('created with 4 partitions'),
      details: { partitions: 4 },
    });
    for (const partitions of [0, 1.5, 1025]) {
      await expect(openLmdbLog({ path, partitions, codec: v8Codec })).rejects.toMatchObject({ code: 'invalid_request' });
    }
    await (await openLmdbLog({ path, partitions: 4, codec: v8Codec })).close();
  });

  test('refuses to open twice in one process, until it is closed', async () => {
    const path = await freshPath();
    const log = await openLmdbLog({ path, partitions: 1, codec: v8Codec });
    await expect(openLmdbLog({ path, partitions: 1, codec: v8Codec })).rejects.toMatchObject({ code: 'log_unavailable' });
    await log.close();
    await (await openLmdbLog({ path, partitions: 1, codec: v8Codec })).close();
  });

  test('EL3 every topic comes back through Avro as it was appended', async () => {
    const log = await openLmdbLog({ path: await freshPath(), partitions: 2, codec: avroCodec });
    for (const topic of Object.keys(EXAMPLE_RECORDS) as (keyof typeof EXAMPLE_RECORDS)[]) {
      const record = EXAMPLE_RECORDS[topic]();
      const offset = await log.append(topic, 1, 'key', record);
      const stop = new AbortController();
      for await (const { records } of log.read(topic, 1, offset, { signal: stop.signal })) {
        expect(records).toEqual([{ offset, key: 'key', record }]);
        stop.abort();
      }
    }
    await log.close();
  });

  test('the space of what was trimmed is used again', async () => {
    const path = await freshPath();
    const clock = manualClock();
    const log = await openLmdbLog({ path, partitions: 1, codec: v8Codec, now: () => clock.now() });
    const body = new Uint8Array(60_000);
    const sizes: number[] = [];
    for (let round = 0; round < 12; round++) {
      await Promise.all(Array.from({ length: 60 }, (_, i) => log.append('playhead.uploads', 0, 'key', anUpload({ counter: i, body }))));
      clock.advance((TOPICS['playhead.uploads'].retentionMs ?? 0) + 1);
      await log.trim(clock.now());
      sizes.push((await stat(join(path, 'data.mdb'))).size);
    }
    await log.close();
    expect(sizes.at(-1)).toBeLessThan(2.5 * (sizes[0] ?? 0));
  });

  test('EL12 a trim goes in bounded steps to the same end', async () => {
    const path = await freshPath();
    const clock = manualClock();
    const log = await openLmdbLog({ path, partitions: 1, codec: v8Codec, now: () => clock.now() });
    const append = (count: number) =>
      Promise.all(Array.from({ length: count }, (_, i) => log.append('playhead.uploads', 0, 'key', anUpload({ counter: i }))));
    await append(1_300);
    clock.advance((TOPICS['playhead.uploads'].retentionMs ?? 0) + 1);
    const [kept = NO_OFFSET] = await append(5);
    await Promise.all([log.trim(clock.now()), log.trim(clock.now())]);
    expect(await log.bounds('playhead.uploads', 0)).toEqual({ first: kept, next: kept + 5 });
    await log.close();
  });
});

describe('openLmdbStore', () => {
  test('grows beyond its first map, while an old snapshot is read', async () => {
    const store = await openLmdbStore(await freshPath(), 1024 * 1024);
    const value = (i: number) => Buffer.alloc(100_000, i);
    const key = (i: number) => keyOf('playhead.uploads', 0, toOffset(i));
    await store.commit({ puts: [{ key: key(0), value: value(0) }] });
    for (let i = 1; i < 200; i++) {
      const before = [...store.scan(key(i - 1), key(i))];
      const growing = store.commit({ puts: [{ key: key(i), value: value(i) }] });
      const during = [...store.scan(key(i - 1), key(i))];
      await growing;
      expect(during.length).toBe(1);
      for (const entry of [...before, ...during]) expect(value(i - 1).equals(entry.value)).toBe(true);
    }
    expect([...store.scan(key(0), key(200))]).toHaveLength(200);
    await store.close();
  });

  test('a commit that would write over a record fails and changes nothing', async () => {
    const store = await openLmdbStore(await freshPath());
    const key = keyOf('playhead.uploads', 0, toOffset(0));
    await store.commit({ puts: [{ key, value: Buffer.from('first') }] });
    await expect(store.commit({ puts: [{ key, value: Buffer.from('second') }] })).rejects.toThrow('already taken');
    expect([...store.scan(key, keyOf('playhead.uploads', 0, toOffset(1)))].map(({ value }) => Buffer.from(value).toString())).toEqual([
      'first',
    ]);
    await store.close();
  });
});
