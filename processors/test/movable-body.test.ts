import { gzipSync } from 'node:zlib';
import type { BodyFault, Frame, Upload } from '@playhead/schemas';
import { decodeBlock, EMPTY_CHAIN, encodeFrames, framesBytes, movableBody, PIECE_RAW_BYTES, toOffset } from '@playhead/schemas';
import { aDomChange, aDomKeyframe, anUploadOf, aSignalFrame, memoryBlocks, silentLogger } from '@playhead/testkit';
import { decompressPiece, positionFrames } from '@playhead/uploads';
import { expect, test } from 'vitest';
import { signalsOf } from '../src/catalog/block-signals.ts';
import { PendingFlush } from '../src/compactor/core/pending-flush.ts';
import { buildFlush } from '../src/compactor/flush-step.ts';

const FRAMES: readonly Frame[] = [aDomKeyframe(), aDomChange(), aSignalFrame()];
const OFFSET = toOffset(7);

function gzipped(frames: readonly Frame[], overrides: Partial<Upload> = {}): Upload {
  return anUploadOf(frames, { codec: 'gzip', body: new Uint8Array(gzipSync(encodeFrames(frames))), ...overrides });
}

function bodyOf(upload: Upload, frames: readonly Frame[], fault: BodyFault | null = null): ReturnType<typeof movableBody> {
  return movableBody(upload, frames, fault);
}

test('[FC15] a sound gzipped native body is kept as it came', () => {
  const upload = gzipped(FRAMES);
  expect(bodyOf(upload, FRAMES)).toMatchObject({ compressed: upload.body, outline: { frames: 3, rawLength: framesBytes(FRAMES) } });
});

test('[FC15] a body is laid out anew that is plain, damaged, empty, of another format, or holds a picture', () => {
  const upload = gzipped(FRAMES);
  const picture: Frame = { track: 'image', keyframe: true, timestampMs: 1_750_000_000_000, payload: new Uint8Array(9) };
  expect(bodyOf(anUploadOf(FRAMES), FRAMES)).toBeNull();
  expect(bodyOf(upload, FRAMES, { code: 'truncated_body', message: 'cut', byteOffset: 9, frameIndex: 3 })).toBeNull();
  expect(bodyOf(gzipped([]), [])).toBeNull();
  expect(bodyOf({ ...upload, format: 'frame-bundle' }, FRAMES)).toBeNull();
  expect(bodyOf(gzipped([...FRAMES, picture]), [...FRAMES, picture])).toBeNull();
});

test('[FC15] a body that is larger inside than a piece may be is laid out anew: a seek inflates one piece', () => {
  const large = [...FRAMES, aDomChange(1_750_000_000_000, 'x'.repeat(PIECE_RAW_BYTES))];
  expect(bodyOf(gzipped(large), large)).toBeNull();
});

test('[FC15] the object of a flush has the body in it byte for byte, and its frames and signals are read from there', async () => {
  const pending = new PendingFlush(0);
  const upload = gzipped(FRAMES);
  const frames = positionFrames(upload, OFFSET, FRAMES);
  pending.addUpload(OFFSET, upload, { frames: [], body: bodyOf(upload, FRAMES), fault: null }, 0);
  const { flush, object } = await buildFlush(pending, EMPTY_CHAIN, 'test', 0);
  expect(object).toContain(upload.body);
  expect(decodeBlock(Buffer.concat(object), decompressPiece)).toEqual(frames);
  const blocks = memoryBlocks();
  await blocks.put(flush.objectKey, object);
  const { rows } = await signalsOf(blocks, flush, { logger: silentLogger });
  expect(rows).toMatchObject([{ position: { offset: OFFSET, index: 2 }, signal: { kind: 'click' } }]);
});
