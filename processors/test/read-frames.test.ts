import { gzipSync } from 'node:zlib';
import { encodeFrames, NO_OFFSET, nextOffset } from '@playhead/schemas';
import { aDomKeyframe, anUpload, uploadsOf } from '@playhead/testkit';
import { positionFrames, readUploadAsync } from '@playhead/uploads';
import { expect, test } from 'vitest';
import { readFrames } from '../src/compactor/read-frames.ts';

const OFFSET = nextOffset(NO_OFFSET);

test('[FC11] a small payload keeps no large body in memory', async () => {
  const good = encodeFrames([aDomKeyframe()]);
  const body = new Uint8Array(8 * 1024 * 1024);
  body.set(good);
  const upload = anUpload({ body });
  const { frames, fault } = await readFrames(OFFSET, upload);
  expect(fault).not.toBeNull();
  expect(frames).toEqual(positionFrames(upload, OFFSET, (await readUploadAsync(upload)).frames));
  expect(frames[0]?.payload.buffer.byteLength).toBe(aDomKeyframe().payload.length);
});

test('payloads that fill their body are not copied', async () => {
  const [upload] = uploadsOf(1);
  if (!upload) throw new Error('no upload');
  const { frames } = await readFrames(OFFSET, upload);
  expect(new Set(frames.map(({ payload }) => payload.buffer))).toEqual(new Set([upload.body.buffer]));
});

test('a damaged gzip body, however small, is salvaged while others run', async () => {
  const body = new Uint8Array(gzipSync(encodeFrames(Array.from({ length: 200 }, (_, i) => aDomKeyframe(undefined, `${i * 7919}`)))));
  body[body.length - 6] = (body[body.length - 6] ?? 0) ^ 1;
  let turns = 0;
  let isDone = false;
  const count = (): void => {
    turns++;
    if (!isDone) setImmediate(count);
  };
  setImmediate(count);
  const { frames, fault } = await readFrames(OFFSET, anUpload({ codec: 'gzip', body }));
  isDone = true;
  expect(fault?.code).toBe('corrupt_codec');
  expect(frames).toHaveLength(200);
  expect(turns).toBeGreaterThan(3);
});
