import { MessageChannel } from 'node:worker_threads';
import { answerThread, ThreadCalls } from '@playhead/ports';
import { PlayheadError } from '@playhead/schemas';
import { expect, test } from 'vitest';

/** Both ends, in one thread. */
function ends(answer: (question: string) => Promise<unknown>) {
  const { port1, port2 } = new MessageChannel();
  const heard: string[] = [];
  const answers = answerThread(port1, answer);
  const calls = new ThreadCalls<string, string>(port2, 'unavailable', (news) => heard.push(news));
  return { answers, calls, heard };
}

test('each call gets its own answer, in whatever order they come', async () => {
  const late = Promise.withResolvers<string>();
  const { calls } = ends((question) => (question === 'late' ? late.promise : Promise.resolve(`${question}!`)));
  const first = calls.ask('late');
  expect(await calls.ask('soon')).toBe('soon!');
  late.resolve('at last');
  expect(await first).toBe('at last');
  await calls.close();
});

test('an error of ours comes with code and details, any other with its message', async () => {
  const { calls } = ends((question) =>
    Promise.reject(question === 'ours' ? new PlayheadError('too_large', 'so large', { details: { bytes: 7 } }) : new Error('broken')),
  );
  await expect(calls.ask('ours')).rejects.toMatchObject({ code: 'too_large', message: 'so large', details: { bytes: 7 } });
  await expect(calls.ask('other')).rejects.toMatchObject({ code: 'internal', message: 'broken' });
  await calls.close();
});

test('news that was told before an answer is heard before it', async () => {
  const { answers, calls, heard } = ends(async () => answers.tell('news'));
  await calls.ask('anything');
  expect(heard).toEqual(['news']);
  await calls.close();
});

test('calls under way fail when the other end closes, and so do later ones', async () => {
  const { answers, calls } = ends(() => new Promise(() => {}));
  const underWay = calls.ask('never answered');
  answers.close();
  await expect(underWay).rejects.toMatchObject({ code: 'unavailable' });
  await expect(calls.ask('too late')).rejects.toMatchObject({ code: 'unavailable' });
  await calls.close();
});

test('closing waits for the answers to what was asked', async () => {
  const answer = Promise.withResolvers<string>();
  const { calls } = ends(() => answer.promise);
  const asked = calls.ask('question');
  const closed = calls.close();
  answer.resolve('answer');
  expect(await asked).toBe('answer');
  await closed;
  await expect(calls.ask('too late')).rejects.toMatchObject({ code: 'unavailable' });
});
