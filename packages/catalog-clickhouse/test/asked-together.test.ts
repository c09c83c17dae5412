import { expect, test } from 'vitest';
import { AskedTogether } from '../src/asked-together.ts';

interface Call {
  readonly questions: readonly string[];
  readonly answer: () => void;
  readonly fail: (error: Error) => void;
}

/** Answers are given by hand: to a question in upper case. */
function anEngine(bounds: { readonly questionsMax?: number; readonly atOnce?: number } = {}) {
  const calls: Call[] = [];
  const together = new AskedTogether<string, string>({
    askAll: (questions) => {
      const { promise, resolve, reject } = Promise.withResolvers<readonly string[]>();
      calls.push({ questions, answer: () => resolve(questions.map((one) => one.toUpperCase())), fail: reject });
      return promise;
    },
    nameOf: (question) => question,
    questionsMax: 10,
    atOnce: 1,
    ...bounds,
  });
  const asked = (): readonly (readonly string[])[] => calls.map(({ questions }) => questions);
  const until = (count: number): Promise<unknown> => expect.poll(() => calls.length).toBe(count);
  return { together, calls, asked, until };
}

test('the first goes at once; what comes while it is asked goes together, and each gets its own answer', async () => {
  const { together, calls, asked, until } = anEngine();
  const first = together.ask('a');
  expect(asked()).toEqual([['a']]);
  const others = ['b', 'c', 'd'].map((question) => together.ask(question));
  expect(asked()).toEqual([['a']]);
  calls[0]?.answer();
  expect(await first).toBe('A');
  await until(2);
  expect(asked()).toEqual([['a'], ['b', 'c', 'd']]);
  calls[1]?.answer();
  expect(await Promise.all(others)).toEqual(['B', 'C', 'D']);
  void together.ask('e');
  expect(asked()).toHaveLength(3);
});

test('a question takes no more than its bound, and no more are under way than theirs; the others follow in order', async () => {
  const { together, calls, asked, until } = anEngine({ questionsMax: 2, atOnce: 2 });
  const all = ['a', 'b', 'c', 'd', 'e'].map((question) => together.ask(question));
  expect(asked()).toEqual([['a'], ['b']]);
  calls[1]?.answer();
  await until(3);
  calls[0]?.answer();
  await until(4);
  expect(asked()).toEqual([['a'], ['b'], ['c', 'd'], ['e']]);
  for (const { answer } of calls.slice(2)) answer();
  expect(await Promise.all(all)).toEqual(['A', 'B', 'C', 'D', 'E']);
});

test('who asks what waits already shares its answer, and never one to a question that was asked before', async () => {
  const { together, calls, asked, until } = anEngine();
  const all = ['a', 'a', 'b', 'a', 'b'].map((question) => together.ask(question));
  calls[0]?.answer();
  await until(2);
  calls[1]?.answer();
  expect(await Promise.all(all)).toEqual(['A', 'A', 'B', 'A', 'B']);
  expect(asked()).toEqual([['a'], ['a', 'b']]);
});

test('when several fail together each is asked alone, and only whose own question fails hears of it', async () => {
  const { together, calls, asked, until } = anEngine();
  const first = together.ask('a');
  const others = Promise.allSettled(['b', 'c'].map((question) => together.ask(question)));
  calls[0]?.fail(new Error('a cannot be answered'));
  await expect(first).rejects.toThrow('a cannot be answered');
  await until(2);
  calls[1]?.fail(new Error('something cannot be answered'));
  await until(4);
  expect(asked().slice(2)).toEqual([['b'], ['c']]);
  calls[2]?.fail(new Error('b cannot be answered'));
  calls[3]?.answer();
  expect(await others).toEqual([
    { status: 'rejected', reason: new Error('b cannot be answered') },
    { status: 'fulfilled', value: 'C' },
  ]);
});

test('closing waits for what was asked, and refuses what comes later', async () => {
  const { together, calls, until } = anEngine();
  const all = ['a', 'b'].map((question) => together.ask(question));
  let isClosed = false;
  const closing = together.close().then(() => {
    isClosed = true;
  });
  await expect(together.ask('c')).rejects.toMatchObject({ code: 'unavailable' });
  calls[0]?.answer();
  await until(2);
  expect(isClosed).toBe(false);
  calls[1]?.answer();
  expect(await Promise.all(all)).toEqual(['A', 'B']);
  await closing;
});
