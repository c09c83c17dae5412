import { setTimeout as sleep } from 'node:timers/promises';
import { launchChromium } from '@playhead/e2e/chromium';
import type { Page } from 'playwright-core';
import { withOneProcess } from '../cluster/target.ts';
import type { Goal, GoalTable } from '../goal.ts';
import { goalTable } from '../goal.ts';
import type { PlayerElement } from '../join/viewer-page.ts';
import type { Run } from '../run.ts';
import { quantile } from '../table.ts';

const SHARES = [
  [0.5, 150],
  [0.99, 400],
] as const;

/** Between two changes: long enough to be shown one by one, and at no steady distance from the recorder's uploads. */
const PAUSE_MS = [400, 900] as const;

/**
 * How long it takes from a change of a page in a visitor's browser until a viewer's browser shows it: a watched session of the demo shop, live, one
 * process on LMDB. Two browsers and the server share the machine, and one clock.
 */
export async function benchWatched({ quick, progress }: Run): Promise<GoalTable> {
  const changes = quick ? 3 : 200;
  return withOneProcess(
    async ({ gateway, token }, { shopUrl }) => {
      const visitor = await launchChromium();
      try {
        const agent = await launchChromium();
        try {
          const [shop, viewer] = [await visitor.newPage(), await agent.newPage()];
          await shop.goto(shopUrl);
          await viewer.goto(`${gateway}/?token=${token}`);
          await viewer.locator('a[href^="/sessions/"]').first().click();
          await viewer.locator('playhead-player[state="live"]').waitFor();
          progress(`${changes} changes of a page that is watched`);
          const seeing = delaysSeen(viewer, changes);
          await change(shop, changes);
          return tableOf(await seeing, changes);
        } finally {
          await agent.close();
        }
      } finally {
        await visitor.close();
      }
    },
    ['--shop', 'on'],
  );
}

/** Changes an attribute of the page: its number, and when. */
async function change(shop: Page, changes: number): Promise<void> {
  const [least, most] = PAUSE_MS;
  for (let number = 1; number <= changes; number++) {
    await shop.evaluate((value) => {
      document.body.dataset['change'] = `${value} ${Date.now()}`;
    }, number);
    await sleep(least + Math.random() * (most - least));
  }
}

/** Looks at every frame of the screen; resolves with the milliseconds of each change that was shown, ascending, when the last one is. */
async function delaysSeen(viewer: Page, changes: number): Promise<readonly number[]> {
  const delays = await viewer.locator('playhead-player').evaluate(async (element, last) => {
    const player = element as PlayerElement;
    const seen = new Map<number, number>();
    while (!seen.has(last)) {
      await new Promise(requestAnimationFrame);
      const [number = 0, atMs = 0] = (player.contentDocument()?.body?.dataset['change'] ?? '').split(' ').map(Number);
      if (number > 0 && !seen.has(number)) seen.set(number, Date.now() - atMs);
    }
    return [...seen.values()];
  }, changes);
  return delays.toSorted((a, b) => a - b);
}

function tableOf(delays: readonly number[], changes: number): GoalTable {
  const goals = SHARES.map(
    ([share, lateMs]): Goal => ({
      what: `p${share * 100}, from a change to its being shown (against ${lateMs} ms)`,
      measured: `${quantile(delays, share).toFixed(0)} ms`,
      baseline: `${lateMs} ms`,
      ratio: quantile(delays, share) / lateMs,
      bound: { atMost: 1 },
    }),
  );
  return goalTable(`${delays.length} of ${changes} changes were shown one by one; one process on LMDB, two browsers`, goals);
}
