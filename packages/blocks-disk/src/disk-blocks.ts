import type { Dirent } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { link, mkdir, open, readdir, rm, stat, unlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { BlockStore, ByteRange, StoredObject } from '@playhead/ports';
import { checkObjectKey, isKeySegment } from '@playhead/ports';
import { PlayheadError } from '@playhead/schemas';
import { Folders, syncFolder } from './folders.ts';
import { sweepIncoming, writeIncoming } from './incoming.ts';

export interface DiskBlocksOptions {
  /** A directory on a file system with hard links that tells upper from lower case; made when it is not there. */
  readonly path: string;
  /** True in a further thread of the process: what is being written now is another thread's, and not what a crash left. Default false. */
  readonly opened?: boolean;
}

/**
 * A block store in a directory:
 *
 *     <path>/objects/<key>     one file per object, whole and synced since it has this name
 *     <path>/incoming/...      objects being written
 *
 * An object is written in `incoming`, synced, then linked to its name. Linking never overwrites, so of racing puts one
 * wins. Folders that become empty are left: removing them would race with puts.
 *
 * @throws {PlayheadError} `unavailable` when the directory cannot be used
 */
export async function openDiskBlocks(options: DiskBlocksOptions): Promise<BlockStore> {
  const path = resolve(options.path);
  const objects = join(path, 'objects');
  const incoming = join(path, 'incoming');
  try {
    await mkdir(objects, { recursive: true });
    await mkdir(incoming, { recursive: true });
    await syncFolder(path);
    await syncFolder(dirname(path));
    if (options.opened !== true) await sweepIncoming(incoming);
  } catch (error) {
    throw unavailable(error);
  }
  return new DiskBlocks(objects, incoming);
}

class DiskBlocks implements BlockStore {
  readonly #objects: string;
  readonly #incoming: string;
  readonly #folders: Folders;

  constructor(objects: string, incoming: string) {
    this.#objects = objects;
    this.#incoming = incoming;
    this.#folders = new Folders(objects);
  }

  async put(key: string, parts: readonly Uint8Array[]): Promise<'created' | 'exists'> {
    const path = this.#pathOf(key);
    try {
      if (await isFile(path)) return await this.#exists(path);
      const written = await writeIncoming(this.#incoming, parts);
      try {
        await this.#folders.make(dirname(path));
        await this.#link(written, path);
      } catch (error) {
        if (codeOf(error) === 'EEXIST' && (await isFile(path))) return await this.#exists(path);
        throw error;
      } finally {
        await unlink(written).catch(() => undefined);
      }
      await syncFolder(dirname(path));
      return 'created';
    } catch (error) {
      if (NOT_A_PLACE.has(codeOf(error))) {
        throw new PlayheadError('invalid_request', `${key} is a folder of another key, or below one`, { details: { key }, cause: error });
      }
      throw unavailable(error);
    }
  }

  /** Who hears `exists` relies on the object: the writer that won may not have synced its name yet. */
  async #exists(path: string): Promise<'exists'> {
    await syncFolder(dirname(path));
    return 'exists';
  }

  async #link(written: string, path: string): Promise<void> {
    try {
      await link(written, path);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
      this.#folders.forget();
      await this.#folders.make(dirname(path));
      await link(written, path);
    }
  }

  async get(key: string, range?: ByteRange): Promise<Uint8Array> {
    const path = this.#pathOf(key);
    let file: FileHandle | undefined;
    try {
      file = await open(path, 'r');
      const stats = await file.stat();
      if (!stats.isFile()) throw notFound(key);
      const { offset, length } = range ?? { offset: 0, length: stats.size };
      if (range && !(offset >= 0 && length >= 1 && offset + length <= stats.size)) {
        throw new PlayheadError('range_not_satisfiable', `${offset}+${length} of ${stats.size} bytes`, {
          details: { key, offset, length },
        });
      }
      return await readExactly(file, offset, length);
    } catch (error) {
      if (error instanceof PlayheadError) throw error;
      if (!NOTHING_THERE.has(codeOf(error))) throw unavailable(error);
      await this.#checkThere();
      throw notFound(key);
    } finally {
      await file?.close();
    }
  }

  async size(key: string): Promise<number | null> {
    return this.#sizeAt(this.#pathOf(key));
  }

  async #sizeAt(path: string): Promise<number | null> {
    try {
      const stats = await stat(path);
      return stats.isFile() ? stats.size : null;
    } catch (error) {
      if (!NOTHING_THERE.has(codeOf(error))) throw unavailable(error);
      await this.#checkThere();
      return null;
    }
  }

  /** That nothing is there is an answer only where the directory of objects is: one that was taken away has lost nothing. */
  async #checkThere(): Promise<void> {
    const isThere = await stat(this.#objects).then(
      (stats) => stats.isDirectory(),
      () => false,
    );
    if (!isThere) throw new PlayheadError('unavailable', "the block store's directory is not there");
  }

  async *list(prefix: string): AsyncGenerator<StoredObject> {
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
    if (!folder.split('/').slice(0, -1).every(isKeySegment)) return;
    yield* this.#listFolder(folder, prefix);
  }

  /** @param folder '' or ends with a slash */
  async *#listFolder(folder: string, prefix: string): AsyncGenerator<StoredObject> {
    const keys: string[] = [];
    for (const entry of await this.#entries(folder)) {
      if (!isKeySegment(entry.name)) continue;
      const key = `${folder}${entry.name}${entry.isDirectory() ? '/' : ''}`;
      if (key.startsWith(prefix)) keys.push(key);
    }
    // Keys are ASCII: the order of strings is the order of bytes. A folder's slash takes part in it.
    keys.sort();
    for (const key of keys) {
      if (key.endsWith('/')) {
        yield* this.#listFolder(key, prefix);
        continue;
      }
      const bytes = await this.#sizeAt(join(this.#objects, key));
      if (bytes !== null) yield { key, bytes };
    }
  }

  async #entries(folder: string): Promise<Dirent[]> {
    try {
      return await readdir(join(this.#objects, folder), { withFileTypes: true });
    } catch (error) {
      if (!NOTHING_THERE.has(codeOf(error))) throw unavailable(error);
      await this.#checkThere();
      return [];
    }
  }

  async delete(key: string): Promise<void> {
    const path = this.#pathOf(key);
    try {
      if (!(await isFile(path))) return await this.#checkThere();
      await rm(path, { force: true });
      await syncFolder(dirname(path));
    } catch (error) {
      throw unavailable(error);
    }
  }

  async close(): Promise<void> {}

  #pathOf(key: string): string {
    checkObjectKey(key);
    return join(this.#objects, key);
  }
}

const NOTHING_THERE: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'EISDIR']);
const NOT_A_PLACE: ReadonlySet<string> = new Set(['ENOTDIR', 'EISDIR', 'EEXIST']);

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch (error) {
    if (NOTHING_THERE.has(codeOf(error))) return false;
    throw error;
  }
}

async function readExactly(file: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; ) {
    const { bytesRead } = await file.read(bytes, at, length - at, offset + at);
    if (bytesRead === 0) throw new Error(`the file ends ${length - at} bytes too soon`);
    at += bytesRead;
  }
  return bytes;
}

function notFound(key: string): PlayheadError {
  return new PlayheadError('not_found', `no object ${key}`, { details: { key } });
}

function unavailable(error: unknown): PlayheadError {
  if (error instanceof PlayheadError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new PlayheadError('unavailable', `the block store's disk: ${reason}`, { cause: error });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
