import { setTimeout as sleep } from 'node:timers/promises';

const VISIT_INTERVAL_MS = 100;

/** Those who come and go, and those who stay until they are sent away, all the time. */
export interface Visits {
  /** What was no yes so far, as `refusalOf` says it. */
  readonly refusals: readonly string[];
  stop(): Promise<void>;
}

/** Asks for each address again and again until `stop`, each time until the answer has ended. */
export function visitAll(urls: readonly string[]): Visits {
  const refusals: string[] = [];
  const stopping = new AbortController();
  const visits = urls.map(async (url) => {
    while (!stopping.signal.aborted) {
      const refusal = await refusalOf(new URL(url), { signal: stopping.signal });
      // What `stop` itself has cut does not count.
      if (refusal !== '' && !stopping.signal.aborted) refusals.push(refusal);
      await sleep(VISIT_INTERVAL_MS);
    }
  });
  return {
    refusals,
    async stop() {
      stopping.abort();
      await Promise.all(visits);
    },
  };
}

/** Sends one request. Empty when the answer was a yes; else when it was sent, where to, and the answer or what cut it. */
export async function refusalOf(url: URL, request: RequestInit = {}): Promise<string> {
  const what = `${new Date().toISOString()} ${url.origin}${url.pathname}`;
  try {
    const answer = await fetch(url, request);
    const text = await answer.text();
    return answer.ok ? '' : `${what} answered ${answer.status} ${text}`;
  } catch (error) {
    return `${what} was cut: ${error instanceof Error ? `${error.message}, ${String(error.cause)}` : String(error)}`;
  }
}
