import { setTimeout as sleep } from 'node:timers/promises';

/** What became of a load. */
export interface Tally {
  readonly offered: number;
  readonly acknowledged: number;
  /** From the first request to the last answer. */
  readonly seconds: number;
  /** Answers that were no yes, and how often. */
  readonly refusals: ReadonlyMap<string, number>;
}

/** Sends the n-th request; '' when it was acknowledged. */
export type Send = (n: number) => Promise<string>;

const TICK_MS = 5;
/** Requests under way at a time in an open loop: those beyond it are offered, but not sent. */
const WAITING_MAX = 2000;

/** A number of senders, each of which sends again when it has an answer: what the other side can take. */
export async function closedLoop(send: Send, inFlight: number, seconds: number, countMax = Number.POSITIVE_INFINITY): Promise<Tally> {
  const counted = counting(send);
  const until = performance.now() + seconds * 1000;
  let left = countMax;
  const sender = async (): Promise<void> => {
    while (left-- > 0 && performance.now() < until) await counted.send();
  };
  await Promise.all(Array.from({ length: inFlight }, sender));
  return counted.tally();
}

/** Sends at a rate of its own, whatever the answers: what the other side has to bear. */
export async function openLoop(send: Send, perSecond: number, seconds: number): Promise<Tally> {
  const counted = counting(send);
  const waiting = new Set<Promise<void>>();
  const total = Math.round(perSecond * seconds);
  const began = performance.now();
  for (let due = 0, sent = 0; sent < total; ) {
    due = Math.min(total, Math.ceil(((performance.now() - began) / 1000) * perSecond));
    for (; sent < due; sent++) {
      if (waiting.size >= WAITING_MAX) {
        counted.hold();
        continue;
      }
      const one = counted.send().finally(() => waiting.delete(one));
      waiting.add(one);
    }
    await sleep(TICK_MS);
  }
  await Promise.all(waiting);
  return counted.tally();
}

function counting(send: Send) {
  const began = performance.now();
  const refusals = new Map<string, number>();
  let [offered, acknowledged] = [0, 0];
  const note = (refusal: string): void => void refusals.set(refusal, (refusals.get(refusal) ?? 0) + 1);
  return {
    async send(): Promise<void> {
      const refusal = await send(offered++);
      if (refusal === '') acknowledged++;
      else note(refusal);
    },
    /** Counts one that is not sent. */
    hold(): void {
      offered++;
      note('not sent: too many wait');
    },
    tally: (): Tally => ({ offered, acknowledged, seconds: (performance.now() - began) / 1000, refusals }),
  };
}
