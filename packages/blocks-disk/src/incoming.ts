import { randomUUID } from 'node:crypto';
import { open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * The folder of objects that are being written: one file each, named `<process id>.<token of the process>.<id>`. A file
 * gets its place among the objects only when it is whole and synced, so what a crash leaves is here.
 */
const TOKEN = randomUUID();

/** Writes and syncs a file that nobody sees yet; answers its path. Leaves nothing when it fails. */
export async function writeIncoming(folder: string, bytes: Uint8Array): Promise<string> {
  const path = join(folder, `${process.pid}.${TOKEN}.${randomUUID()}`);
  try {
    const file = await open(path, 'wx');
    try {
      await file.writeFile(bytes);
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
