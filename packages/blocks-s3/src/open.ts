import { randomUUID } from 'node:crypto';
import type { BlockStore } from '@playhead/ports';
import { isKeySegment, systemClock } from '@playhead/ports';
import { PlayheadError } from '@playhead/schemas';
import { S3Blocks } from './s3-blocks.ts';
import { sdkClient } from './sdk-client.ts';
import type { S3BlocksOptions } from './settings.ts';
import { clientSettingsOf, DEFAULT_PART_BYTES, PART_BYTES_MIN } from './settings.ts';

/** A key may have 512 characters, a name in S3 1,024. */
const PREFIX_CHARS_MAX = 500;

/**
 * A block store in a bucket of any S3. Opening makes the bucket when it is not there, writes one empty object,
 * `<prefix>/~playhead`, and tries to write it again: an S3 that overwrites it is refused. With `readOnly` it does neither.
 *
 * @throws {PlayheadError} `unavailable` when the bucket does not answer, may not be used, or is not there and cannot be made
 *   (no right to, or the name belongs to somebody else: the message says what to do); `internal` when this S3 cannot keep the
 *   port's rules; `invalid_request` when the options make no sense
 */
export async function openS3Blocks(options: S3BlocksOptions): Promise<BlockStore> {
  const { bucket, prefix = '', partBytes = DEFAULT_PART_BYTES } = options;
  if (bucket === '') throw new PlayheadError('invalid_request', 'a block store in S3 needs a bucket');
  if (prefix !== '' && !(prefix.length <= PREFIX_CHARS_MAX && prefix.split('/').every(isKeySegment))) {
    throw new PlayheadError('invalid_request', 'the prefix of the block store is not made of segments of a key', { details: { prefix } });
  }
  if (!(Number.isSafeInteger(partBytes) && partBytes >= PART_BYTES_MIN)) {
    throw new PlayheadError('invalid_request', `parts of ${partBytes} bytes are below S3's minimum`, { details: { partBytes } });
  }
  const blocks = new S3Blocks({
    client: sdkClient(bucket, clientSettingsOf(options)),
    prefix: prefix === '' ? '' : `${prefix}/`,
    partBytes,
    clock: systemClock,
    random: Math.random,
    newMark: randomUUID,
  });
  try {
    await blocks.check(options.readOnly ?? false);
  } catch (error) {
    await blocks.close();
    throw error;
  }
  return blocks;
}
