import type { BlockStore, StoredObject } from '@playhead/ports';
import { checkObjectKey } from '@playhead/ports';
import { PlayheadError } from '@playhead/schemas';

/** A block store in memory. Bytes are copied in and out, so that nobody can change an object afterwards. */
export function memoryBlocks(): BlockStore {
  const objects = new Map<string, Uint8Array>();
  return {
    async put(key, parts) {
      checkObjectKey(key);
      if (objects.has(key)) return 'exists';
      objects.set(key, Uint8Array.from(Buffer.concat(parts)));
      return 'created';
    },
    async get(key, range) {
      checkObjectKey(key);
      const bytes = objects.get(key);
      if (!bytes) throw new PlayheadError('not_found', `no object ${key}`);
      if (!range) return Uint8Array.from(bytes);
      const { offset, length } = range;
      if (!(offset >= 0 && length >= 1 && offset + length <= bytes.length)) {
        throw new PlayheadError('range_not_satisfiable', `${offset}+${length} of ${bytes.length} bytes`, {
          details: { key, offset, length },
        });
      }
      return bytes.slice(offset, offset + length);
    },
    async size(key) {
      checkObjectKey(key);
      return objects.get(key)?.length ?? null;
    },
    async *list(prefix): AsyncGenerator<StoredObject> {
      // Keys are ASCII: the order of strings is the order of bytes.
      const keys = [...objects.keys()].filter((key) => key.startsWith(prefix)).toSorted();
      for (const key of keys) {
        const bytes = objects.get(key);
        if (bytes) yield { key, bytes: bytes.length };
      }
    },
    async delete(key) {
      checkObjectKey(key);
      objects.delete(key);
    },
    async close() {},
  };
}
