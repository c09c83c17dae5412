import type { LogRecord } from '@playhead/ports';
import type { Upload } from '@playhead/schemas';
import type { PendingFlush } from './core/pending-flush.ts';
import type { ReadUpload } from './read-frames.ts';
import { outlinedContent, readFrames } from './read-frames.ts';

/** What became of a record of `playhead.uploads`. `rejected`: something of it could not be read; with an upload, the rest counts. */
export interface TakenRecord {
  readonly upload: Upload | null;
  readonly duplicate: boolean;
  readonly rejected: boolean;
}

/**
 * Puts one record into the flush that is being made. The compactor and the rebuild of objects do it alike, so that they
 * come to the same bytes.
 *
 * @param accept decides whether an upload counts; false for a duplicate
 */
export async function takeRecord(
  pending: PendingFlush,
  read: LogRecord<'playhead.uploads'>,
  accept: (upload: Upload) => boolean,
  nowMs: number,
  readUpload?: ReadUpload,
): Promise<TakenRecord> {
  const { offset, key, record: upload } = read;
  if (upload === null) {
    pending.addUnreadable(offset, key, 'fault' in read ? read.fault : '', nowMs);
    return { upload, duplicate: false, rejected: true };
  }
  if (!accept(upload)) {
    pending.addDuplicate(offset, upload, nowMs);
    return { upload, duplicate: true, rejected: false };
  }
  const content = outlinedContent(upload) ?? (await readFrames(offset, upload, readUpload));
  pending.addUpload(offset, upload, content, nowMs);
  return { upload, duplicate: false, rejected: content.fault !== null };
}
