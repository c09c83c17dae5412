import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { ProjectsFile } from './projects-file.ts';
import { readOrMakeProjectsFile, readProjectsFile } from './projects-file.ts';

/** Another process works on the directory. */
export class DataDirectoryBusy extends Error {
  override readonly name = 'DataDirectoryBusy';

  constructor(path: string) {
    super(`Another Playhead process is using ${path}. Stop it first, or choose another directory with --data.`);
  }
}

export interface DataDirectory {
  readonly path: string;
  readonly log: string;
  readonly blocks: string;
  readonly catalog: string;
  readonly projects: ProjectsFile;
  /** Gives the directory free. The operating system does so too when the process dies. */
  release(): void;
}

/**
 * Makes the directory when it is missing, and claims it for this process.
 *
 * The claim is an exclusive lock on a SQLite file: a lock of the operating system, which goes with the process however it
 * ends, and that is the same on every platform that Node runs on.
 *
 * @throws {DataDirectoryBusy}
 */
export async function openDataDirectory(path: string): Promise<DataDirectory> {
  const root = resolve(path);
  await mkdir(root, { recursive: true });
  const lock = new DatabaseSync(join(root, 'lock.sqlite'));
  try {
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    if (error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY) throw new DataDirectoryBusy(root);
    throw error;
  }
  claims.add(lock);
  return {
    path: root,
    log: join(root, 'log'),
    blocks: join(root, 'blocks'),
    catalog: join(root, 'catalog'),
    projects: await readOrMakeProjectsFile(join(root, 'projects.json')),
    release: () => {
      claims.delete(lock);
      lock.close();
    },
  };
}

/** A claim that nobody refers to any more would be given up with its object, whenever that is collected. */
const claims = new Set<DatabaseSync>();

const SQLITE_BUSY = 5;

/** `projects.json` of a directory, without claiming it: for commands that talk to the process which does. */
export async function readProjects(path: string): Promise<ProjectsFile> {
  return readProjectsFile(join(resolve(path), 'projects.json'));
}
