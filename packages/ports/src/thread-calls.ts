import type { MessagePort, Transferable } from 'node:worker_threads';
import type { ErrorCode } from '@playhead/schemas';
import { PlayheadError } from '@playhead/schemas';

/** What goes over a port: what is asked, what is answered under the same id, and news that nobody asked for. */
interface Call {
  readonly id: number;
  readonly question: unknown;
}
type Told =
  | { readonly kind: 'answer'; readonly id: number; readonly answer: unknown }
  | { readonly kind: 'fault'; readonly id: number; readonly fault: Fault }
  | { readonly kind: 'news'; readonly news: unknown };

interface Fault {
  readonly code: ErrorCode;
  readonly message: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** The end of a port that answers. */
export interface ThreadAnswers {
  /** Tells what nobody asked for. What was told before an answer is heard before it. */
  tell(news: unknown): void;
  /** Closes the port, for both ends. */
  close(): void;
}

/**
 * Answers what is asked over a port, until it is closed. Does not keep the process alive.
 *
 * @param answer is given what the other end's `ThreadCalls` asks; what it resolves with has to be cloneable; of an error that is not a PlayheadError the message is told
 * @param closed called when the port was closed, by either end
 */
export function answerThread(
  port: MessagePort,
  answer: (question: never) => Promise<unknown>,
  closed: () => void = () => {},
): ThreadAnswers {
  const send = (told: Told): void => port.postMessage(told);
  port.on('message', ({ id, question }: Call) => {
    answer(question as never).then(
      (given) => send({ kind: 'answer', id, answer: given }),
      (error: unknown) => send({ kind: 'fault', id, fault: faultOf(error) }),
    );
  });
  port.once('close', closed);
  port.unref();
  return { tell: (news) => send({ kind: 'news', news }), close: () => port.close() };
}

/** The end of a port that asks. */
export class ThreadCalls<Question, News = never> {
  readonly #port: MessagePort;
  readonly #asked = new Map<number, { readonly resolve: (answer: unknown) => void; readonly reject: (error: PlayheadError) => void }>();
  readonly #gone: ErrorCode;
  #nextId = 0;
  #closed = false;
  #allAnswered = (): void => {};

  /** @param gone the code of calls that will not be answered, because the other end was closed or its thread has ended */
  constructor(port: MessagePort, gone: ErrorCode, hear: (news: News) => void = () => {}) {
    this.#port = port;
    this.#gone = gone;
    port.on('message', (told: Told) => {
      if (told.kind === 'news') hear(told.news as News);
      else this.#settle(told);
    });
    port.once('close', () => {
      this.#closed = true;
      for (const { reject } of this.#asked.values()) reject(this.#unanswered());
      this.#asked.clear();
      this.#allAnswered();
    });
  }

  /**
   * @param transferred buffers of the question that are handed over instead of copied
   * @throws {PlayheadError} what the other end threw, or `gone`
   */
  ask(question: Question, transferred: readonly Transferable[] = []): Promise<unknown> {
    if (this.#closed) return Promise.reject(this.#unanswered());
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#port.postMessage({ id, question } satisfies Call, transferred);
      this.#asked.set(id, { resolve, reject });
    });
  }

  /** Waits for the answers to what was asked, then closes the port, for both ends. Nothing can be asked any more. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#asked.size > 0) await new Promise<void>((resolve) => (this.#allAnswered = resolve));
    this.#port.close();
  }

  #settle(told: Exclude<Told, { readonly kind: 'news' }>): void {
    const call = this.#asked.get(told.id);
    this.#asked.delete(told.id);
    if (told.kind === 'answer') call?.resolve(told.answer);
    else call?.reject(new PlayheadError(told.fault.code, told.fault.message, { details: told.fault.details }));
    if (this.#asked.size === 0) this.#allAnswered();
  }

  #unanswered(): PlayheadError {
    return new PlayheadError(this.#gone, 'the thread that would answer is gone');
  }
}

function faultOf(error: unknown): Fault {
  if (error instanceof PlayheadError) return { code: error.code, message: error.message, details: error.details };
  return { code: 'internal', message: error instanceof Error ? error.message : String(error), details: {} };
}
