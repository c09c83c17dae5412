import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readlink, realpath, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

/**
 * A copy of the working tree in the temporary directory: what git knows of it, and files that are new. Installed packages
 * are links; ours lead into the copy, so that what is changed there is what runs there.
 *
 * @param root of the checkout; it is only read
 */
export async function copyWorkingTree(root: string): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const path = await realpath(await mkdtemp(join(tmpdir(), 'playhead-copy-')));
  const listing = ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--deduplicate'];
  const deleted = await gitFiles(root, ['ls-files', '-z', '--deleted']);
  for (const file of await gitFiles(root, listing)) {
    if (deleted.has(file)) continue;
    await mkdir(dirname(join(path, file)), { recursive: true });
    await cp(join(root, file), join(path, file), { verbatimSymlinks: true });
  }
  await linkPackages(join(root, 'node_modules'), join(path, 'node_modules'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

async function gitFiles(root: string, listing: readonly string[]): Promise<ReadonlySet<string>> {
  const { stdout } = await promisify(execFile)('git', [...listing], { cwd: root, maxBuffer: 64 * 1024 * 1024 });
  return new Set(stdout.split('\0').filter((file) => file !== ''));
}

async function linkPackages(from: string, to: string): Promise<void> {
  await mkdir(join(to, '@playhead'), { recursive: true });
  for (const name of await readdir(from)) {
    const isCache = name.startsWith('.') && name !== '.bin';
    if (name !== '@playhead' && !isCache) await symlink(join(from, name), join(to, name));
  }
  // npm links workspaces relative to where the link is: the same text names the copy's own.
  for (const name of await readdir(join(from, '@playhead'))) {
    await symlink(await readlink(join(from, '@playhead', name)), join(to, '@playhead', name));
  }
}
