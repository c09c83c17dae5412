import { randomUUID } from 'node:crypto';
import { open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { lengthOf, runsOf } from '@playhead/ports';

/**
 * The folder of objects that are being written: one file each, named `<process id>.<token of the process>.<id>`. A file
 * gets its place among the objects only when it is whole and synced, so what a crash leaves is here.
 */
const TOKEN = randomUUID();

/** Given to the disk at once, and synced: what the log syncs meanwhile has to wait for no more than that. */
const WRITE_BYTES = 1024 * 1024;

/** Writes and syncs a file that nobody sees yet; answers its path. Leaves nothing when it fails. */
export async function writeIncoming(folder: string, parts: readonly Uint8Array[]): Promise<string> {
  const path = join(folder, `${process.pid}.${TOKEN}.${randomUUID()}`);
  try {
    const file = await open(path, 'wx');
    try {
      for (const run of runsOf(parts, WRITE_BYTES)) {
        const { bytesWritten } = await file.writev(run);
        // A disk that is full takes a part of it.
        if (bytesWritten !== lengthOf(run)) throw new Error(`${bytesWritten} of ${lengthOf(run)} bytes were written`);
        await file.datasync();
      }
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    await rm(path, { force: true }).catch(() => undefined);
    throw error;
  }
  return path;
}

/** Removes what processes that are no more have left. */
export async function sweepIncoming(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const [pid = '', token = ''] = name.split('.');
    if (!isWriting(Number(pid), token)) await rm(join(folder, name), { force: true });
  }
}

/** Process ids are used again, in a container always: an own id with another token is of somebody before us. */
function isWriting(pid: number, token: string): boolean {
  if (pid === process.pid) return token === TOKEN;
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
