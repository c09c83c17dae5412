import type { StoredBlock } from '@playhead/ports';
import type { FrameEntry } from '@playhead/schemas';
import {
  BytesFault,
  decodeFrameIndex,
  formatPosition,
  framePayload,
  imageType,
  inflatePiece,
  PlayheadError,
  parsePosition,
} from '@playhead/schemas';
import { decompressPiece } from '@playhead/uploads';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { viewerOf } from '../auth.ts';
import type { Gateway } from '../deps.ts';
import type { SessionDirectory } from '../directory/session-directory.ts';
import type { BlockLists, PlacedFrame } from './block-lists.ts';
import { blockIdOf } from './block-lists.ts';
import { blockSchema, blocksSchema, frameSchema } from './http-schemas.ts';
import { etagOf, sendBytes } from './range.ts';

/** Enough of a picture to tell its type. */
const SNIFF_BYTES = 16;

const JSON_TYPE = 'application/json';
const BYTES_TYPE = 'application/octet-stream';

type Read = (offset: number, length: number) => Promise<Uint8Array>;

/** HEAD is ours: the framework's would read the bytes to count them. */
const BYTES_METHODS = ['GET', 'HEAD'];

/** `GET /v1/sessions/:sessionId/blocks`, one block's bytes, one frame's payload. */
export function registerBlockRoutes(scope: FastifyInstance, gateway: Gateway, directory: SessionDirectory, lists: BlockLists): void {
  scope.get('/v1/sessions/:sessionId/blocks', { schema: blocksSchema }, async (request, reply) => {
    const { projectId } = viewerOf(request, gateway.projects);
    const { sessionId } = request.params as { sessionId: string };
    const { chainEnd, blocks, gaps } = await lists.fresh(projectId, sessionId);
    if (blocks.length === 0 && (await directory.session(projectId, sessionId)) === null) throw new PlayheadError('session_not_found');
    reply.header('cache-control', 'no-store');
    return { chainEnd, gaps, blocks: blocks.filter((block) => block.blockLength > 0).map((block) => describeBlock(sessionId, block)) };
  });

  scope.route({
    method: BYTES_METHODS,
    url: '/v1/sessions/:sessionId/blocks/:blockId',
    schema: blockSchema,
    handler: async (request, reply) => {
      const { projectId } = viewerOf(request, gateway.projects);
      const { sessionId, blockId } = request.params as { sessionId: string; blockId: string };
      return again(lists, projectId, sessionId, async () => {
        const block = await lists.block(projectId, sessionId, blockId);
        if (block === undefined) throw new PlayheadError('not_found');
        const { objectKey, blockOffset, blockLength } = block;
        return sendBytes(request, reply, {
          contentType: BYTES_TYPE,
          size: blockLength,
          etag: etagOf(`${objectKey} ${blockOffset} ${blockLength}`),
          read: (offset, length) => gateway.blocks.get(objectKey, { offset: blockOffset + offset, length }),
        });
      });
    },
  });

  scope.route({
    method: BYTES_METHODS,
    url: '/v1/sessions/:sessionId/frames/:position',
    schema: frameSchema,
    handler: async (request, reply) => {
      const { projectId } = viewerOf(request, gateway.projects);
      const { sessionId, position: text } = request.params as { sessionId: string; position: string };
      const position = parsePosition(text);
      if (position === undefined) throw new PlayheadError('invalid_request', 'A position is <offset>.<index>.');
      return again(lists, projectId, sessionId, async () => {
        const placed = await lists.frame(projectId, sessionId, position);
        if (placed === undefined) throw new PlayheadError('not_found');
        return sendFrame(request, reply, gateway, placed);
      });
    },
  });
}

/** A kept list may name an object that was merged away: then once more, with the catalog's list of now. */
async function again<T>(lists: BlockLists, projectId: string, sessionId: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof PlayheadError) || error.code !== 'not_found') throw error;
    lists.forget(projectId, sessionId);
    return run();
  }
}

async function sendFrame(request: FastifyRequest, reply: FastifyReply, gateway: Gateway, placed: PlacedFrame): Promise<FastifyReply> {
  const { block, entry } = placed;
  const { objectKey, blockOffset, blockLength } = block;
  const inBlock: Read = (offset, length) => {
    if (offset + length > blockLength) throw new PlayheadError('internal', 'The index of a block points outside of it.');
    return length === 0 ? Promise.resolve(new Uint8Array()) : gateway.blocks.get(objectKey, { offset: blockOffset + offset, length });
  };
  const etag = etagOf(`${objectKey} ${blockOffset} ${formatPosition(entry.position)}`);
  const read = entry.piece < 0 ? (offset: number, length: number) => inBlock(entry.offset + offset, length) : inPiece(placed, inBlock);
  const contentType = entry.track === 'image' ? imageType(await read(0, Math.min(SNIFF_BYTES, entry.length))) : JSON_TYPE;
  // A part of JSON is none.
  const isKnown = contentType !== undefined && entry.part === undefined;
  return sendBytes(request, reply, { contentType: isKnown ? contentType : BYTES_TYPE, size: entry.length, etag, read });
}

/** Reads a frame that is in a piece, which is fetched and inflated once. */
function inPiece({ index, entry }: PlacedFrame, inBlock: Read): Read {
  const piece = index.pieces[entry.piece];
  if (piece === undefined) throw new PlayheadError('internal', 'The index of a block names no such piece.');
  let payload: Promise<Uint8Array> | undefined;
  const inflated = async (): Promise<Uint8Array> =>
    framePayload(entry, inflatePiece(piece, await inBlock(piece.offset, piece.length), decompressPiece));
  return async (offset, length) => (await (payload ??= inflated())).subarray(offset, offset + length);
}

function describeBlock(sessionId: string, block: StoredBlock): object {
  const { blockLength, firstTimestampMs, lastTimestampMs, windows } = block;
  return {
    id: blockIdOf(block),
    bytes: blockLength,
    firstTimestampMs,
    lastTimestampMs,
    windows,
    frames: framesOf(block).map((frame) => {
      const { windowId, track, keyframe, timestampMs, part, width, height, length } = frame;
      const position = formatPosition(frame.position);
      const href = track === 'image' ? `/v1/sessions/${encodeURIComponent(sessionId)}/frames/${position}` : undefined;
      return { position, windowId, track, keyframe, timestampMs, part, href, width, height, bytes: length };
    }),
  };
}

/** A damaged index costs its block's frames, not the whole list. */
function framesOf(block: StoredBlock): readonly FrameEntry[] {
  try {
    return decodeFrameIndex(block.frameIndex).frames;
  } catch (error) {
    if (error instanceof BytesFault) return [];
    throw error;
  }
}
