import { describe, expect, test } from 'vitest';
import type { PendingPut } from '../src/commit-queue.ts';
import { CommitQueue } from '../src/commit-queue.ts';

const put = (name: string, bytes = 1): PendingPut => ({ key: Buffer.from(name), value: Buffer.alloc(bytes) });
const namesOf = (puts: readonly PendingPut[]): string => puts.map(({ key }) => key.toString()).join('');

/** Commits that wait until the test answers them. */
function heldCommits() {
  const commits: { names: string; succeed: () => void; fail: (error: Error) => void }[] = [];
  const commit = (puts: readonly PendingPut[]) =>
    new Promise<void>((succeed, fail) => {
      commits.push({ names: namesOf(puts), succeed, fail });
    });
  return { commits, commit };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('CommitQueue', () => {
  test('what comes in one turn shares a commit; what comes during it shares the next', async () => {
    const { commits, commit } = heldCommits();
    const queue = new CommitQueue(commit, 60_000);
    const done: string[] = [];
    const add = (name: string) => queue.add(put(name)).then(() => done.push(name));
    const added = [add('a'), add('b')];
    await turn();
    added.push(add('c'));
    await turn();
    added.push(add('d'));
    expect(commits.map(({ names }) => names)).toEqual(['ab']);
    commits[0]?.succeed();
    await turn();
    expect([done.join(''), commits.map(({ names }) => names)]).toEqual(['ab', ['ab', 'cd']]);
    commits[1]?.succeed();
    await Promise.all(added);
    expect(done.join('')).toBe('abcd');
    await queue.drained();
  });

  test('a commit is bounded in bytes, and one larger record still goes', async () => {
    const sizes: string[] = [];
    const queue = new CommitQueue(async (puts) => void sizes.push(namesOf(puts)), 60_000);
    const large = 20 * 1024 * 1024;
    await Promise.all([queue.add(put('a', large)), queue.add(put('b', large)), queue.add(put('c', 2 * large)), queue.add(put('d'))]);
    expect(sizes).toEqual(['a', 'b', 'c', 'd']);
  });

  test('a failed commit fails its own puts, and the next ones are tried', async () => {
    const { commits, commit } = heldCommits();
    const queue = new CommitQueue(commit, 60_000);
    const failed = queue.add(put('a'));
    await turn();
    const next = queue.add(put('b'));
    commits[0]?.fail(new Error('No space left on device'));
    await expect(failed).rejects.toMatchObject({ code: 'log_unavailable', message: expect.stringContaining('No space left') });
    await turn();
    commits[1]?.succeed();
    await next;
  });

  test('a commit without an answer fails its puts, those behind it and all later ones', async () => {
    const { commit } = heldCommits();
    const queue = new CommitQueue(commit, 20);
    const first = queue.add(put('a'));
    await turn();
    const second = queue.add(put('b'));
    await expect(first).rejects.toMatchObject({ code: 'log_unavailable' });
    await expect(second).rejects.toMatchObject({ code: 'log_unavailable' });
    await expect(queue.add(put('c'))).rejects.toMatchObject({ code: 'log_unavailable' });
    await queue.drained();
  });
});
