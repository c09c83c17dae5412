import { mkdirSync, realpathSync } from 'node:fs';
import { open as openFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PlayheadError } from '@playhead/schemas';
import type { Database, RootDatabase } from 'lmdb';
import { open } from 'lmdb';

/** What readers of the log need of LMDB: ordered binary keys, reads that copy. */
export interface LmdbReads {
  /** Copies, in order of key, from `from` (inclusive) to `to` (exclusive). The snapshot is held while iterating, so iterate without waiting. */
  scan(from: Buffer, to: Buffer): Iterable<{ readonly key: Buffer; readonly value: Uint8Array }>;
  lastKey(before: Buffer, behind: Buffer): Buffer | undefined;
  /** What is read between two waits is of one snapshot, notes as well as records. */
  note(name: string): unknown;
  /** What is read from now on is of a snapshot that has everything that is durable now, whichever thread wrote it. */
  renew(): void;
  close(): Promise<void>;
}

/**
 * What the log needs: also durable transactions.
 *
 * Durability: `overlappingSync` is off, so a transaction's promise resolves after LMDB has synced data and meta page
 * (with it on, the promise would mean "visible" only, and a failed sync would never be told). Writes run on LMDB's thread.
 *
 * Space: the map is reserved address space, not memory or disk; LMDB doubles it when it is full. A full disk fails the
 * transaction, and it is rolled back.
 */
export interface LmdbStore extends LmdbReads {
  /** Writes all or nothing; resolves when it is durable. Keys of `puts` are new. */
  commit(changes: Changes): Promise<void>;
}

export interface Changes {
  readonly puts?: readonly { readonly key: Buffer; readonly value: Buffer }[];
  readonly removes?: readonly Buffer[];
  /** Small facts about the log, as JSON. */
  readonly notes?: readonly { readonly name: string; readonly value: unknown }[];
}

/** Answers false where the key is there already. LMDB's JavaScript takes these options; its types know only versions here. */
const NEW_ONLY = { noOverwrite: true } as unknown as number;

const MAP_BYTES_INITIAL = 4 * 1024 ** 3;

/** Paths that this process has open: LMDB would hand out one environment twice. */
const openPaths = new Set<string>();

/** @throws {PlayheadError} `log_unavailable` when the path is open already, here or in another process */
export async function openLmdbStore(path: string, mapBytesInitial = MAP_BYTES_INITIAL): Promise<LmdbStore> {
  mkdirSync(path, { recursive: true });
  const realPath = realpathSync(path);
  if (openPaths.has(realPath)) throw new PlayheadError('log_unavailable', `the log at ${path} is open already`);
  openPaths.add(realPath);
  let root: RootDatabase | undefined;
  try {
    root = open({ path: realPath, ...OPTIONS, mapSize: mapBytesInitial });
    const databases = databasesOf(root);
    checkAlone(root, databases.notes, path);
    await syncDirectory(realPath);
    await syncDirectory(dirname(realPath));
    return { ...readsOn(root, databases, () => openPaths.delete(realPath)), ...writesOn(databases) };
  } catch (error) {
    await root?.close();
    openPaths.delete(realPath);
    if (error instanceof PlayheadError) throw error;
    throw unopened(path, error);
  }
}

/**
 * Opens the store for reading in a thread of the process that has it open: LMDB gives both the same environment.
 *
 * @throws {PlayheadError} `log_unavailable`
 */
export async function openLmdbReads(path: string): Promise<LmdbReads> {
  let root: RootDatabase | undefined;
  try {
    root = open({ path: realpathSync(path), ...OPTIONS, readOnly: true });
    return readsOn(root, databasesOf(root), () => {});
  } catch (error) {
    await root?.close();
    throw unopened(path, error);
  }
}

const OPTIONS = { noSubdir: false, overlappingSync: false, maxDbs: 2 };

interface Databases {
  readonly records: Database<Buffer, Buffer>;
  readonly notes: Database<unknown, string>;
}

function databasesOf(root: RootDatabase): Databases {
  return {
    records: root.openDB<Buffer, Buffer>({ name: 'records', keyEncoding: 'binary', encoding: 'binary' }),
    notes: root.openDB<unknown, string>({ name: 'notes', encoding: 'json' }),
  };
}

function unopened(path: string, cause: unknown): PlayheadError {
  return new PlayheadError('log_unavailable', `the log at ${path} cannot be opened: ${messageOf(cause)}`, { cause });
}

/**
 * Two processes on one log would give the same offsets. LMDB's table of readers names every process that has it open;
 * entries of the dead are cleared first.
 */
function checkAlone(root: RootDatabase, notes: Database<unknown, string>, path: string): void {
  notes.get('layout'); // takes our own place in the table, so that of two who open at once at least one sees the other
  root.readerCheck();
  const others = root
    .readerList()
    .split('\n')
    .map((line) => Number(/^\s*(\d+)\s/.exec(line)?.[1] ?? Number.NaN))
    .filter((pid) => Number.isInteger(pid) && pid !== process.pid);
  if (others.length > 0) {
    throw new PlayheadError('log_unavailable', `the log at ${path} is open in process ${others.join(', ')}`);
  }
}

/** Makes the names of new files durable. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await openFile(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function readsOn(root: RootDatabase, { records, notes }: Databases, closed: () => void): LmdbReads {
  return {
    *scan(from, to) {
      for (const { key, value } of records.getRange({ start: from, end: to })) yield { key, value };
    },

    lastKey(before, behind) {
      for (const key of records.getKeys({ start: behind, end: before, reverse: true, limit: 1 })) return key;
      return undefined;
    },

    note: (name) => notes.get(name),

    renew: () => root.resetReadTxn(),

    async close() {
      await root.close();
      closed();
    },
  };
}

function writesOn({ records, notes }: Databases): Pick<LmdbStore, 'commit'> {
  return {
    // All writes of one event turn share a transaction (LMDB's event turn batching).
    async commit(changes) {
      const writes: Promise<boolean>[] = [];
      for (const { key, value } of changes.puts ?? []) writes.push(records.put(key, value, NEW_ONLY));
      for (const key of changes.removes ?? []) writes.push(records.remove(key));
      for (const { name, value } of changes.notes ?? []) writes.push(notes.put(name, value));
      const puts = changes.puts?.length ?? 0;
      try {
        const answers = await Promise.all(writes);
        if (!answers.slice(0, puts).every(Boolean)) throw new Error('an offset was already taken: another process writes to this log');
      } catch (error) {
        throw await causeOf(error);
      }
    },
  };
}

/** LMDB's `Commit failed` holds a promise that rejects with the reason; unhandled it would end the process. */
async function causeOf(failure: unknown): Promise<unknown> {
  if (!(failure instanceof Error && 'commitError' in failure && failure.commitError instanceof Promise)) return failure;
  const cause = failure.commitError.then(
    () => failure,
    (reason: unknown) => reason,
  );
  const patience = new Promise((resolve) => setTimeout(resolve, 1_000, failure).unref());
  return Promise.race([cause, patience]);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
