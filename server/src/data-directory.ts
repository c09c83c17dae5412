import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Projects, Viewer } from '@playhead/ports';

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

/** Who may record and who may view, in `projects.json`: made with random keys when the directory is. */
export interface ProjectsFile {
  readonly projects: readonly {
    readonly id: string;
    readonly writeKey: string;
    readonly viewers: readonly { readonly name: string; readonly token: string }[];
  }[];
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
  return {
    path: root,
    log: join(root, 'log'),
    blocks: join(root, 'blocks'),
    catalog: join(root, 'catalog'),
    projects: await readOrMakeProjects(root),
    release: () => lock.close(),
  };
}

const SQLITE_BUSY = 5;

/** `projects.json` of a directory, without claiming it: for commands that talk to the process which does. */
export async function readProjects(path: string): Promise<ProjectsFile> {
  return readProjectsFile(join(resolve(path), 'projects.json'));
}

/** A projects file by its own path. */
export async function readProjectsFile(path: string): Promise<ProjectsFile> {
  return JSON.parse(await readFile(path, 'utf8')) as ProjectsFile;
}

async function readOrMakeProjects(root: string): Promise<ProjectsFile> {
  try {
    return await readProjects(root);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) {
      throw new Error(`${join(root, 'projects.json')} cannot be read; repair it or move it away`, { cause: error });
    }
  }
  const made: ProjectsFile = {
    projects: [{ id: 'default', writeKey: `pk_${randomKey(16)}`, viewers: [{ name: 'owner', token: randomKey(24) }] }],
  };
  const file = join(root, 'projects.json');
  await writeFile(`${file}.new`, `${JSON.stringify(made, null, 2)}\n`, { mode: 0o600 });
  await rename(`${file}.new`, file);
  return made;
}

function randomKey(bytes: number): string {
  return randomBytes(bytes).toString('base64url');
}

/** The file as the services ask for it. */
export function projectsOf(file: ProjectsFile): Projects {
  const writeKeys = new Map(file.projects.map((project) => [project.writeKey, project.id]));
  const viewers = new Map<string, Viewer>();
  for (const project of file.projects) {
    for (const viewer of project.viewers) viewers.set(viewer.token, { projectId: project.id, viewer: viewer.name });
  }
  return {
    projectOfWriteKey: (key) => writeKeys.get(key),
    viewerOfToken: (token) => viewers.get(token),
  };
}
