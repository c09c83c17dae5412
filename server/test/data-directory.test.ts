import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DataDirectoryBusy, openDataDirectory } from '../src/data-directory.ts';
import { projectsOf } from '../src/projects-file.ts';

let path: string;
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'playhead-data-'));
});
afterEach(async () => {
  await rm(path, { recursive: true, force: true });
});

/** Another process that claims the directory, forgets the answer, and holds it until it is killed. */
async function holder(): Promise<{ kill(): Promise<void> }> {
  const module = JSON.stringify(join(import.meta.dirname, '..', 'src', 'data-directory.ts'));
  const script = `import(${module}).then((m) => m.openDataDirectory(${JSON.stringify(path)})).then(() => { setInterval(gc, 50); setTimeout(() => console.log('claimed'), 200); })`;
  const child = spawn(process.execPath, ['--expose-gc', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return {
    async kill() {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}

describe('a data directory', () => {
  test('is refused to a second process with a message that names it, and given on when the first is killed', async () => {
    const first = await holder();
    await expect(openDataDirectory(path)).rejects.toThrow(DataDirectoryBusy);
    await expect(openDataDirectory(path)).rejects.toThrow(path);
    await first.kill();
    (await openDataDirectory(path)).release();
  });

  test('keeps the keys that it was made with, readable by their owner only', async () => {
    const first = await openDataDirectory(path);
    first.release();
    const second = await openDataDirectory(path);
    second.release();
    expect(second.projects).toEqual(first.projects);
    expect((await stat(join(path, 'projects.json'))).mode & 0o077).toBe(0);
  });

  test('with keys that cannot be read is not opened, and not overwritten', async () => {
    (await openDataDirectory(path)).release();
    await writeFile(join(path, 'projects.json'), '{"projects": [');
    await expect(openDataDirectory(path)).rejects.toThrow(/projects\.json/);
    expect(await readFile(join(path, 'projects.json'), 'utf8')).toBe('{"projects": [');
  });

  test('knows a write key from a viewer token', async () => {
    const directory = await openDataDirectory(path);
    directory.release();
    const project = directory.projects.projects[0];
    const projects = projectsOf(directory.projects);
    expect(projects.projectOfWriteKey(project?.writeKey ?? '')).toBe('default');
    expect(projects.viewerOfToken(project?.viewers[0]?.token ?? '')).toEqual({ projectId: 'default', viewer: 'owner' });
    expect(projects.viewerOfToken(project?.writeKey ?? '')).toBeUndefined();
    expect(projects.projectOfWriteKey('')).toBeUndefined();
  });
});
