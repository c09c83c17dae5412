import type { MessagePort } from 'node:worker_threads';
import type { ThreadAnswers } from '@playhead/ports';
import { answerThread } from '@playhead/ports';
import type { Offset, Partition, Topic } from '@playhead/schemas';

/** What another thread asks of the one that writes the log: the offset of an append, or nothing, is the answer. */
export type LogQuestion =
  | { readonly kind: 'append'; readonly topic: Topic; readonly partition: Partition; readonly value: Uint8Array }
  | { readonly kind: 'trim'; readonly nowMs: number };

/** What it hears: partitions whose records up to `next` (exclusive) are durable. */
export type LogNews = readonly Grown[];

interface Grown {
  readonly topic: Topic;
  readonly partition: Partition;
  readonly next: Offset;
}

/** How often another thread is told: under load a message for each commit would cost as much as the commit. */
const NEWS_EVERY_MS = 5;

/** The writing thread's end of a port to another thread. */
export class ThreadPort {
  readonly #answers: ThreadAnswers;
  /** What is to be told, by topic and partition. */
  readonly #grown = new Map<string, Grown>();

  constructor(port: MessagePort, answer: (question: LogQuestion) => Promise<unknown>, closed: (port: ThreadPort) => void) {
    this.#answers = answerThread(port, answer, () => closed(this));
  }

  /** Told soon, together with what else becomes durable until then. */
  grow(topic: Topic, partition: Partition, next: Offset): void {
    if (this.#grown.size === 0) setTimeout(() => this.#tell(), NEWS_EVERY_MS).unref();
    const name = `${topic} ${partition}`;
    const known = this.#grown.get(name);
    if (known === undefined || known.next < next) this.#grown.set(name, { topic, partition, next });
  }

  close(): void {
    this.#answers.close();
  }

  #tell(): void {
    this.#answers.tell([...this.#grown.values()] satisfies LogNews);
    this.#grown.clear();
  }
}
