import { gzipSync } from 'node:zlib';
import type { Frame, PositionedFrame, Upload } from '@playhead/schemas';
import { EMPTY_CHAIN, encodeFrames, encodeOutline, framesBytes, NO_OFFSET, nextOffset, readOutline } from '@playhead/schemas';
import { aDomChange, aDomKeyframe, anUpload, anUploadOf, aSignalFrame, uploadsOf } from '@playhead/testkit';
import { positionFrames, readUploadAsync } from '@playhead/uploads';
import { expect, test } from 'vitest';
import { PendingFlush } from '../src/compactor/core/pending-flush.ts';
import { buildFlush } from '../src/compactor/flush-step.ts';
import type { ReadUpload } from '../src/compactor/read-frames.ts';
import { outlinedContent, readFrames } from '../src/compactor/read-frames.ts';
import { takeRecord } from '../src/compactor/take-record.ts';

const OFFSET = nextOffset(NO_OFFSET);
const NO_OUTLINE = new Uint8Array();

function bufferOf(frame: PositionedFrame | undefined): ArrayBufferLike | undefined {
  return frame?.payload.buffer;
}

/** As ingest logs it. */
function outlinedUpload(frames: readonly Frame[], overrides: Partial<Upload> = {}): Upload {
  const body = new Uint8Array(gzipSync(encodeFrames(frames)));
  return anUploadOf(frames, { codec: 'gzip', body, outline: encodeOutline(frames), ...overrides });
}

const unread: ReadUpload = () => Promise.reject(new Error('the body was read'));

test('[FC11] a small payload keeps no large body in memory', async () => {
  const good = encodeFrames([aDomKeyframe()]);
  const body = new Uint8Array(8 * 1024 * 1024);
  body.set(good);
  const upload = anUpload({ body });
  const { frames, fault } = await readFrames(OFFSET, upload);
  expect(fault).not.toBeNull();
  expect(frames).toEqual(positionFrames(upload, OFFSET, (await readUploadAsync(upload)).frames));
  expect(bufferOf(frames[0])?.byteLength).toBe(aDomKeyframe().payload.length);
});

test('payloads that fill their body are not copied', async () => {
  const [upload] = uploadsOf(1);
  if (!upload) throw new Error('no upload');
  const { frames } = await readFrames(OFFSET, upload);
  expect(new Set(frames.map(bufferOf))).toEqual(new Set([upload.body.buffer]));
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

test('[FC16] the body of an upload with an outline is not inflated', async () => {
  const upload = outlinedUpload([aDomKeyframe(), aSignalFrame()]);
  const body = { compressed: upload.body, outline: readOutline(upload.outline) };
  expect(outlinedContent(upload)).toEqual({ frames: [], body, fault: null });
  expect(body.outline).toMatchObject({ frames: 2, rawLength: framesBytes([aDomKeyframe(), aSignalFrame()]) });
  const record = { offset: OFFSET, key: upload.sessionId, record: upload };
  expect(await takeRecord(new PendingFlush(0), record, () => true, 0, unread)).toMatchObject({ rejected: false });
});

test('[FC16] a flush is the same, byte for byte, with outlines and without', async () => {
  const uploads = [
    outlinedUpload([aDomKeyframe(), aDomChange(), aSignalFrame()]),
    outlinedUpload([aDomChange(), aSignalFrame(undefined, { kind: 'navigation', url: 'https://shop.example/cart' })], { counter: 1 }),
    outlinedUpload([aSignalFrame(undefined, { kind: 'error' }), aDomChange()], { counter: 2, windowId: 'window-b' }),
  ];
  const built = async (all: readonly Upload[], read?: ReadUpload): Promise<unknown> => {
    const pending = new PendingFlush(0);
    let offset = OFFSET;
    for (const record of all) {
      await takeRecord(pending, { offset, key: record.sessionId, record }, () => true, 0, read);
      offset = nextOffset(offset);
    }
    return buildFlush(pending, EMPTY_CHAIN, 'test', 0);
  };
  const bare = uploads.map((upload): Upload => Object.assign({}, upload, { outline: NO_OUTLINE }));
  expect(await built(uploads, unread)).toEqual(await built(bare));
});

test('[FC16] an outline that cannot be read, or whose body does not stay as it is, is not gone by', async () => {
  const sound = [aDomKeyframe(), aSignalFrame()];
  const outline = encodeOutline(sound);
  const damaged = outlinedUpload(sound, { outline: outline.subarray(1) });
  expect(outlinedContent(damaged)).toBeNull();
  expect(await readFrames(OFFSET, damaged)).toMatchObject({ frames: [], body: { outline: { bytes: outline } }, fault: null });
  const plain = anUploadOf(sound, { outline });
  expect(outlinedContent(plain)).toBeNull();
  expect(await readFrames(OFFSET, plain)).toEqual({ frames: positionFrames(plain, OFFSET, sound), body: null, fault: null });
});
