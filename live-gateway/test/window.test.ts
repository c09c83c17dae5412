import { gzipSync } from 'node:zlib';
import type { Upload } from '@playhead/schemas';
import { encodeFrameBundle, toOffset } from '@playhead/schemas';
import { anUpload, jpegOf, manualClock, memoryLog, silentLogger } from '@playhead/testkit';
import { describe, expect, test } from 'vitest';
import { DEFAULT_SETTINGS } from '../src/settings.ts';
import { HeldUpload } from '../src/window/held-upload.ts';
import type { WindowView } from '../src/window/partition-window.ts';
import { Windows } from '../src/window/windows.ts';

const picture = (counter: number, bytesMin = 0, overrides: Partial<Upload> = {}): Upload =>
  anUpload({
    counter,
    sessionId: 'session-0001',
    track: 'image',
    format: 'frame-bundle',
    epochMs: 1_750_000_000_000,
    receivedAtMs: 1_750_000_060_000,
    body: encodeFrameBundle([{ offsetMs: 0, jpeg: jpegOf({ comment: String(counter), bytesMin }) }]),
    ...overrides,
  });

function opened(windowBytesMax = 1_000_000) {
  const log = memoryLog({ partitions: 1 });
  const clock = manualClock();
  let reads = 0;
  const read: typeof log.read = (...asked) => (reads++, log.read(...asked));
  const settings = { ...DEFAULT_SETTINGS, windowBytesMax };
  const unused = {} as never;
  const gateway = {
    log: { ...log, read },
    clock,
    settings,
    logger: silentLogger,
    blocks: unused,
    catalog: unused,
    projects: unused,
    randomBytes: unused,
  };
  const windows = new Windows(gateway);
  return {
    log,
    clock,
    windows,
    reads: () => reads,
    append: (upload: Upload) => log.append('playhead.uploads', 0, upload.sessionId, upload),
  };
}

const never = new AbortController().signal;

/** Waits until the window has read up to `through`; it may wake its viewers sooner. */
async function seen(view: WindowView, through: number): Promise<void> {
  const offset = toOffset(through);
  for (let taken = view.take(offset); taken.kind !== 'edge' || taken.through < through; taken = view.take(offset)) {
    await view.wait(offset, offset, never);
  }
}

describe('a window', () => {
  test('is one tail for all viewers of a partition, and ends some seconds after the last', async () => {
    const { windows, clock, reads, append } = opened();
    const views = ['session-0001', 'session-0001', 'session-0002'].map((session) => windows.open(0, 'shop', session));
    for (const view of views) expect(view.reaches(toOffset(-1))).toBe(true);
    await append(picture(0));
    await views[0]?.wait(toOffset(-1), null, never);
    expect(reads()).toBe(1);
    for (const view of views) view.close();
    clock.advance(DEFAULT_SETTINGS.windowLingerMs - 1);
    expect(windows.partitions).toEqual([0]);
    const again = windows.open(0, 'shop', 'session-0001');
    clock.advance(60_000);
    expect(windows.partitions).toEqual([0]);
    again.close();
    clock.advance(DEFAULT_SETTINGS.windowLingerMs);
    expect(windows.partitions).toEqual([]);
    await windows.close();
  });

  test('gives all viewers of a session the same upload, decoded once and only when it is asked for', async () => {
    const { windows, append } = opened();
    const [one, two] = [windows.open(0, 'shop', 'session-0001'), windows.open(0, 'shop', 'session-0001')];
    one.reaches(toOffset(-1));
    await append(picture(0));
    await one.wait(toOffset(-1), null, never);
    const [a, b] = [one.take(toOffset(-1)), two.take(toOffset(-1))];
    if (a.kind !== 'upload' || b.kind !== 'upload') throw new Error('nothing there');
    expect(a.upload).toBe(b.upload);
    expect(a.upload.decoded).toBe(false);
    expect(() => a.upload.frames).toThrow(/prepared/);
    await Promise.all([a.upload.prepare(), b.upload.prepare()]);
    expect(a.upload.decoded).toBe(true);
    const [frame] = a.upload.frames;
    expect(b.upload.frames[0]).toBe(frame);
    await windows.close();
  });

  test('holds no more than its bytes: who has not taken what was dropped is told', async () => {
    const { windows, append } = opened(50_000);
    const [view, other] = [windows.open(0, 'shop', 'session-0001'), windows.open(0, 'shop', 'session-0002')];
    view.reaches(toOffset(-1));
    for (let i = 0; i < 10; i++) await append(picture(i, 10_000));
    await seen(view, 9);
    expect(view.take(toOffset(-1))).toEqual({ kind: 'fallen' });
    expect(view.reaches(toOffset(4))).toBe(false);
    expect(view.take(toOffset(7))).toMatchObject({ kind: 'upload', upload: { offset: 8 } });
    // To the offset: who has the last one that was dropped goes on with the next, who has not is told.
    const lastDropped =
      Array.from({ length: 10 }, (_, offset) => offset).find((after) => view.take(toOffset(after)).kind === 'upload') ?? 0;
    expect(view.take(toOffset(lastDropped))).toMatchObject({ kind: 'upload', upload: { offset: lastDropped + 1 } });
    expect([lastDropped - 1, lastDropped].map((after) => view.reaches(toOffset(after)))).toEqual([false, true]);
    // Nothing of this session was dropped, whatever became of others.
    expect(other.take(toOffset(-1))).toEqual({ kind: 'edge', through: 9 });
    const late = windows.open(0, 'shop', 'session-0003');
    expect(late.reaches(toOffset(-1))).toBe(false);
    await windows.close();
  });

  test('counts what decoding adds', async () => {
    const { windows, append } = opened(100_000);
    const view = windows.open(0, 'shop', 'session-0001');
    view.reaches(toOffset(-1));
    const swollen = gzipSync(encodeFrameBundle([{ offsetMs: 0, jpeg: jpegOf({ bytesMin: 90_000 }) }]));
    await append(picture(0, 0, { codec: 'gzip', body: swollen }));
    await append(picture(1, 0, { codec: 'gzip', body: swollen }));
    await seen(view, 1);
    const held = [-1, 0].flatMap((after) => {
      const taken = view.take(toOffset(after));
      return taken.kind === 'upload' ? [taken.upload] : [];
    });
    for (const upload of held) await upload.prepare();
    expect(held.flatMap((upload) => upload.frames)).toHaveLength(2);
    expect(view.take(toOffset(-1))).toEqual({ kind: 'fallen' });
    await windows.close();
  });
});

test('a damaged upload, however small, is salvaged while others run', async () => {
  const jpegs = Array.from({ length: 50 }, (_, i) => ({ offsetMs: i, jpeg: jpegOf({ comment: String(i * 7919) }) }));
  const body = new Uint8Array(gzipSync(encodeFrameBundle(jpegs)));
  body[body.length - 6] = (body[body.length - 6] ?? 0) ^ 1;
  const held = new HeldUpload(toOffset(3), picture(0, 0, { codec: 'gzip', body }), { messageBytesMax: 1024 });
  let turns = 0;
  const count = (): void => {
    turns++;
    if (!held.decoded) setImmediate(count);
  };
  setImmediate(count);
  await held.prepare();
  expect(held.frames).toHaveLength(50);
  expect(turns).toBeGreaterThan(3);
});
