import { randomBytes } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import type { Projects, Viewer } from '@playhead/ports';

/** Who may record and who may view: a JSON file, `projects.json`. */
export interface ProjectsFile {
  readonly projects: readonly {
    readonly id: string;
    readonly writeKey: string;
    readonly viewers: readonly { readonly name: string; readonly token: string }[];
  }[];
}

export async function readProjectsFile(path: string): Promise<ProjectsFile> {
  return JSON.parse(await readFile(path, 'utf8')) as ProjectsFile;
}

/** Reads the file; where there is none it is made, with one project of random keys, readable by its owner. */
export async function readOrMakeProjectsFile(path: string): Promise<ProjectsFile> {
  try {
    return await readProjectsFile(path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) {
      throw new Error(`${path} cannot be read; repair it or move it away`, { cause: error });
    }
  }
  const made: ProjectsFile = {
    projects: [{ id: 'default', writeKey: `pk_${randomKey(16)}`, viewers: [{ name: 'owner', token: randomKey(24) }] }],
  };
  await writeFile(`${path}.new`, `${JSON.stringify(made, null, 2)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
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
