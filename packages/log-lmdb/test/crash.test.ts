import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { openLmdbLog } from '@playhead/log-lmdb';
import type { EventLog } from '@playhead/ports';
import { describe, expect, onTestFinished, test } from 'vitest';
import { v8Codec } from './v8-codec.ts';

const UPLOADS = 'playhead.uploads';
const PARTITIONS = 3;

async function freshPath(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'playhead-log-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

interface Acknowledged {
  readonly partition: number;
  readonly offset: number;
  readonly counter: number;
}

/** Starts the appending process. `exec` keeps the process id. */
function appending(path: string, inFlight: number, bodyBytes: number, limit = ''): ChildProcess {
  const script = join(import.meta.dirname, 'append-forever.ts');
  const args = [script, path, `${PARTITIONS}`, `${inFlight}`, `${bodyBytes}`];
  const child = spawn('bash', ['-c', `${limit} exec "$@"`, 'bash', process.execPath, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

/** Everything that the process acknowledges; calls `seen` with the count. A short line goes through a pipe whole or not at all. */
async function acknowledgedBy(child: ChildProcess, seen: (count: number) => void = () => {}): Promise<Acknowledged[]> {
  const acknowledged: Acknowledged[] = [];
  if (!child.stdout) throw new Error('no output');
  for await (const line of createInterface({ input: child.stdout })) {
    const [partition = Number.NaN, offset = Number.NaN, counter = Number.NaN] = line.split(' ').map(Number);
    acknowledged.push({ partition, offset, counter });
    seen(acknowledged.length);
  }
  return acknowledged;
}

/** Offsets and counters of all that is in the log. */
async function held(log: EventLog): Promise<Set<string>> {
  const found = new Set<string>();
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const { first, next } = await log.bounds(UPLOADS, partition);
    if (first === next) continue;
    const stop = new AbortController();
    for await (const batch of log.read(UPLOADS, partition, first, { signal: stop.signal })) {
      for (const { offset, record } of batch.records) {
        expect(record?.body.every((byte) => byte === (record.counter ?? 0) % 251)).toBe(true);
        found.add(`${partition} ${offset} ${record?.counter}`);
      }
      if (batch.next >= next) stop.abort();
    }
  }
  return found;
}

describe('a log whose process dies', () => {
  test('EL1 holds every record that was acknowledged before the process was killed, round after round', async () => {
    const path = await freshPath();
    const all: Acknowledged[] = [];
    for (const killAfter of [1, 40, 333, 90]) {
      const child = appending(path, 16, 3_000);
      const exited = once(child, 'exit');
      const acknowledged = await acknowledgedBy(child, (count) => {
        if (count === killAfter) child.kill('SIGKILL');
      });
      await exited;
      expect(child.signalCode).toBe('SIGKILL');
      expect(acknowledged.length).toBeGreaterThanOrEqual(killAfter);
      all.push(...acknowledged);

      const log = await openLmdbLog({ path, partitions: PARTITIONS, codec: v8Codec });
      const found = await held(log);
      await log.close();
      expect(all.filter(({ partition, offset, counter }) => !found.has(`${partition} ${offset} ${counter}`))).toEqual([]);
    }
    const places = all.map(({ partition, offset }) => `${partition}/${offset}`);
    expect(new Set(places).size).toBe(places.length);
  });

  test('EL1 a full disk fails appends with log_unavailable and acknowledges none of them', async () => {
    const path = await freshPath();
    // 6000 blocks of 1 KiB: no file of the process grows beyond that.
    const child = appending(path, 4, 20_000, 'ulimit -f 6000;');
    const errors: string[] = [];
    if (child.stderr) createInterface({ input: child.stderr }).on('line', (line) => errors.push(line));
    const exited = once(child, 'exit');
    const acknowledged = await acknowledgedBy(child);
    expect(await exited).toEqual([0, null]);
    expect(errors.filter((line) => line === 'log_unavailable')).toHaveLength(4);
    expect(acknowledged.length).toBeGreaterThan(20);

    const log = await openLmdbLog({ path, partitions: PARTITIONS, codec: v8Codec });
    const found = await held(log);
    expect(acknowledged.filter(({ partition, offset, counter }) => !found.has(`${partition} ${offset} ${counter}`))).toEqual([]);
    await log.close();
  });

  test('a second process cannot open the log while the first one lives', async () => {
    const path = await freshPath();
    const child = appending(path, 1, 10);
    const exited = once(child, 'exit');
    let refusal: Promise<unknown> | undefined;
    await acknowledgedBy(child, (count) => {
      if (count !== 1) return;
      refusal = openLmdbLog({ path, partitions: PARTITIONS, codec: v8Codec }).catch((error: unknown) => error);
      void refusal.finally(() => child.kill('SIGKILL'));
    });
    await exited;
    expect(await refusal).toMatchObject({ code: 'log_unavailable', message: expect.stringContaining(`process ${child.pid}`) });
    await (await openLmdbLog({ path, partitions: PARTITIONS, codec: v8Codec })).close();
  });
});
