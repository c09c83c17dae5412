import { PlayheadError } from '@playhead/schemas';

interface Pending<Question, Answer> {
  readonly question: Question;
  readonly answer: Promise<Answer>;
  readonly resolve: (answer: Answer | Promise<Answer>) => void;
}

export interface Together<Question, Answer> {
  /** Asks some questions at once; answers in their order. */
  readonly askAll: (questions: readonly Question[]) => Promise<readonly Answer[]>;
  /** Questions of the same name have the same answer. */
  readonly nameOf: (question: Question) => string;
  /** Questions that are asked at once. */
  readonly questionsMax: number;
  /** Calls of `askAll` that run at the same time. */
  readonly atOnce: number;
}

/**
 * Questions, or rows to insert, that come while others are under way go together as the next statement, as records do in a group commit: the
 * first goes at once, so nobody waits for company, and who would have waited for an engine that is busy shares a statement with the others who do.
 *
 * Who asks what waits to be asked already shares its answer. An answer is never of a time before its question.
 *
 * When several fail together, each is asked alone: a fault of one question is its own. So what is asked may be asked twice.
 */
export class AskedTogether<Question, Answer> {
  readonly #together: Together<Question, Answer>;
  readonly #waiting = new Map<string, Pending<Question, Answer>>();
  readonly #underWay = new Set<Promise<void>>();
  #closed = false;

  constructor(together: Together<Question, Answer>) {
    this.#together = together;
  }

  /** @throws what `askAll` throws for this question; {@link PlayheadError} `unavailable` after `close` */
  async ask(question: Question): Promise<Answer> {
    if (this.#closed) throw new PlayheadError('unavailable', 'The catalog is closed.');
    const name = this.#together.nameOf(question);
    const waiting = this.#waiting.get(name);
    if (waiting !== undefined) return waiting.answer;
    const { promise: answer, resolve } = Promise.withResolvers<Answer>();
    this.#waiting.set(name, { question, answer, resolve });
    this.#askNext();
    return answer;
  }

  /** Refuses what comes from now on, and waits for what was asked before. */
  async close(): Promise<void> {
    this.#closed = true;
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  #askNext(): void {
    const { questionsMax, atOnce } = this.#together;
    if (this.#waiting.size === 0 || this.#underWay.size >= atOnce) return;
    const some = [...this.#waiting].slice(0, questionsMax);
    for (const [name] of some) this.#waiting.delete(name);
    const asking = this.#askSome(some.map(([, pending]) => pending)).finally(() => {
      this.#underWay.delete(asking);
      this.#askNext();
    });
    this.#underWay.add(asking);
  }

  /** Never rejects. */
  async #askSome(some: readonly Pending<Question, Answer>[]): Promise<void> {
    try {
      const answers = await this.#together.askAll(some.map(({ question }) => question));
      for (const [at, { resolve }] of some.entries()) resolve(answers[at] as Answer);
    } catch (error) {
      if (some.length === 1) for (const { resolve } of some) resolve(Promise.reject(error));
      else await Promise.all(some.map((one) => this.#askSome([one])));
    }
  }
}
