import { launchChromium } from '@playhead/e2e/chromium';
import type { Frame } from '@playhead/schemas';
import { splitFrame, toOffset } from '@playhead/schemas';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { PlayheadPlayer } from '../src/player/playhead-player.ts';
import type { FixtureServer, FixtureSession } from './fixture-server.ts';
import { startFixtureServer } from './fixture-server.ts';
import {
  countingItem,
  countingPage,
  imageFrame,
  noBuild,
  noChromium,
  noRecording,
  paintJpegs,
  recordedFrames,
  signalFrame,
} from './pages.ts';

/** What a viewer sees of the player, read in the page. */
interface Seen {
  readonly state: string | null;
  readonly text: string;
  readonly lagMs: number | null;
  readonly position: string | null;
  readonly timeMs: number;
  readonly faults: number;
  readonly items: readonly string[];
}

/** Runs in the page. */
function look(): Seen {
  const player = document
    .querySelector('playhead-app')
    ?.shadowRoot?.querySelector('playhead-session-page')
    ?.shadowRoot?.querySelector('playhead-player');
  if (!player) return { state: null, text: '', lagMs: null, position: null, timeMs: 0, faults: 0, items: [] };
  const lag = player.getAttribute('lag-ms');
  return {
    state: player.getAttribute('state'),
    text: player.shadowRoot?.querySelector('.pill')?.textContent?.trim() ?? '',
    lagMs: lag === null ? null : Number(lag),
    position: player.getAttribute('position'),
    timeMs: Number(player.getAttribute('current-time-ms')),
    faults: Number(player.getAttribute('faults')),
    items: [...(player.contentDocument()?.querySelectorAll('li') ?? [])].map((item) => item.textContent ?? ''),
  };
}

const missing = [noChromium, noBuild].filter(Boolean).join('; ');
const suffix = missing ? ` (not run: ${missing})` : '';
const SKEW_MS = -90_000;

describe.runIf(missing === '')(`the player in a browser${suffix}`, () => {
  let browser: Browser;
  let server: FixtureServer;
  let page: Page;
  let session: FixtureSession;
  let said: string[];
  let recording: NodeJS.Timeout | undefined;

  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser?.close();
  });

  beforeEach(async () => {
    server = await startFixtureServer();
    page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    said = [];
    page.on('console', (message) => {
      if (message.type() === 'warning' || message.type() === 'error') said.push(message.text());
    });
    page.on('pageerror', (error) => said.push(String(error)));
  });
  afterEach(async () => {
    clearInterval(recording);
    await page.close();
    await server.close();
  });

  /** A page that counts, recorded by a clock that is 90 s behind, uploaded 4 times a second. */
  async function countLive(): Promise<void> {
    const now = (): number => Date.now() + SKEW_MS;
    session = server.add('session-counting', { startedAtMs: now(), userId: 'ada@example.com' });
    let count = 0;
    session.append('window-1', [countingPage(now())], { sentAtMs: now() });
    let taken = now();
    recording = setInterval(() => {
      const at = now();
      const frames = [countingItem(taken + 5, count++), countingItem(Math.max(taken + 6, at - 20), count++)];
      taken = at;
      session.append('window-1', frames, { sentAtMs: at });
    }, 250);
    await page.goto(`${server.url}/sessions/session-counting`);
  }

  async function until(what: (seen: Seen) => boolean, timeoutMs = 15_000): Promise<Seen> {
    const end = Date.now() + timeoutMs;
    let seen = await page.evaluate(look);
    while (!what(seen)) {
      if (Date.now() > end) throw new Error(`not reached: ${what.toString()}; last seen ${JSON.stringify(seen)}`);
      await page.waitForTimeout(50);
      seen = await page.evaluate(look);
    }
    return seen;
  }

  const numbered = (length: number): string[] => Array.from({ length }, (_, index) => `item ${index}`);

  test('a live session is shown at its edge, with its lag in seconds, although the clocks differ', async () => {
    await countLive();
    const seen = await until(({ state, items, lagMs }) => state === 'live' && items.length > 12 && lagMs !== null);
    expect(seen.items).toEqual(numbered(seen.items.length));
    expect(seen.lagMs).toBeLessThan(1_000);
    expect(seen.lagMs).toBeGreaterThan(50);
    expect(seen.text).toMatch(/^Live · 0\.\d s$/);
    expect(seen.faults).toBe(0);
    expect(said).toEqual([]);
  });

  test('paused, it stands still and tells how far it is behind; live again, it shows everything once', async () => {
    await countLive();
    await until(({ state, items }) => state === 'live' && items.length > 4);
    await page.keyboard.press('Space');
    const paused = await until(({ state }) => state === 'paused');
    const behind = await until(({ text }) => /^Paused · [1-9]\.\d s behind$/.test(text));
    expect(behind.items.length - paused.items.length).toBeLessThanOrEqual(1);
    expect(behind.timeMs).toBe(paused.timeMs);
    await page.keyboard.press('l');
    const live = await until(({ state, items }) => state === 'live' && items.length > behind.items.length + 6);
    expect(live.items).toEqual(numbered(live.items.length));
  });

  test('scrubbed back, the page is as it was then, and grows again from there', async () => {
    await countLive();
    await until(({ state, items }) => state === 'live' && items.length > 16);
    await page.evaluate(() => {
      const app = document.querySelector('playhead-app')?.shadowRoot?.querySelector('playhead-session-page')?.shadowRoot;
      const player = app?.querySelector('playhead-player');
      player?.pause();
      player?.seek(600);
    });
    const back = await until(({ timeMs, items }) => timeMs === 600 && items.length < 8);
    expect(back.state).toBe('paused');
    expect(back.items).toEqual(numbered(back.items.length));
    await page.keyboard.press('Space');
    const on = await until(({ items, state }) => state === 'replaying' && items.length > back.items.length + 3);
    expect(on.text).toMatch(/^Replay · \d/);
    expect(on.items).toEqual(numbered(on.items.length));
  });

  /** A live page of 40 minutes with a keyframe every 4, and 3 items a minute; the list begins anew with each keyframe. */
  function longPage(sessionId: string, startMs: number): void {
    session = server.add(sessionId, { startedAtMs: startMs });
    for (let part = 0; part < 10; part++) {
      const atMs = startMs + part * 240_000;
      const items = Array.from({ length: 12 }, (_, index) => countingItem(atMs + 10_000 + index * 20_000, index));
      session.append('window-1', [countingPage(atMs), signalFrame(atMs + 5_000, { kind: 'click', text: `part ${part}` })]);
      for (const item of items) session.append('window-1', [item]);
    }
  }
  const LONG_MS = 2_400_000;
  const marksOfParts = (): Promise<number> => page.locator('button.signal.click').count();
  const isLoading = (): Promise<boolean> => page.getByText('Loading this part of the session…').isVisible();
  /** Leaves a mark in the replayed document, which goes with it when it is built anew. */
  const mark = (): Promise<void> =>
    page.locator('playhead-player').evaluate((player) => {
      (player as PlayheadPlayer).contentDocument()?.querySelector('ul')?.setAttribute('data-mark', '');
    });
  const isMarked = (): Promise<boolean> =>
    page
      .locator('playhead-player')
      .evaluate((player) => Boolean((player as PlayheadPlayer).contentDocument()?.querySelector('[data-mark]')));
  const isComing = (): Promise<boolean> => page.locator('playhead-timeline .absent').isVisible();

  describe('who clicks a session of a long time', () => {
    test('sees its live edge before history has come; the timeline has its length, and no gap is told that is none', async () => {
      longPage('session-long', Date.now() - LONG_MS);
      session.heldBehind = 30;
      await page.goto(`${server.url}/sessions/session-long`);
      const seen = await until(({ state, items }) => state === 'live' && items.length === 12);
      expect(seen.items).toEqual(numbered(12));
      expect(Math.abs(seen.timeMs - LONG_MS)).toBeLessThan(30_000);
      await vi.waitFor(() => expect(session.joins).toEqual(['keyframe', 'start']));
      await vi.waitFor(async () => expect(await marksOfParts()).toBe(4));
      expect(await isComing()).toBe(true);
      expect(await gaps()).toEqual([]);
      // What is on the screen stays what it is: the page is not built anew for what comes in before it.
      await mark();
      session.append('window-1', [countingItem(Date.now(), 12)]);
      await until(({ items }) => items.length === 13);
      session.release();
      await vi.waitFor(async () => expect(await marksOfParts()).toBe(10));
      await vi.waitFor(async () => expect(await isComing()).toBe(false));
      const after = await until(({ state }) => state === 'live');
      expect(after.items).toEqual(numbered(13));
      expect(await isMarked()).toBe(true);
      expect(await gaps()).toEqual([]);
      // Met where the edge begins: history is not read further.
      await vi.waitFor(() => expect(session.connections.size).toBe(1));
      expect(after.faults).toBe(0);
      expect(said).toEqual([]);
    });

    test('and scrubs back sees what was there: at once where it has come, else as soon as it has', async () => {
      longPage('session-long-ago', Date.now() - LONG_MS);
      session.heldBehind = 30;
      await page.goto(`${server.url}/sessions/session-long-ago`);
      await until(({ state, items }) => state === 'live' && items.length === 12);
      await vi.waitFor(async () => expect(await marksOfParts()).toBe(4));
      await stand(240_000 + 75_000);
      expect((await until(({ items }) => items.length === 4)).items).toEqual(numbered(4));
      expect(await isLoading()).toBe(false);
      await stand(5 * 240_000 + 95_000);
      await vi.waitFor(async () => expect(await isLoading()).toBe(true));
      // It does not run on over what cannot be seen yet.
      await page.keyboard.press('Space');
      await until(({ timeMs, state }) => timeMs === 5 * 240_000 + 95_000 && state === 'replaying');
      session.release();
      expect((await until(({ items }) => items.length === 5)).items).toEqual(numbered(5));
      await vi.waitFor(async () => expect(await isLoading()).toBe(false));
      await until(({ timeMs }) => timeMs > 5 * 240_000 + 95_200);
      await page.keyboard.press('l');
      expect((await until(({ items, state }) => state !== 'replaying' && items.length === 12)).items).toEqual(numbered(12));
    });

    test('keeps what came of history when both connections are lost, and gets the rest once', async () => {
      longPage('session-long-torn', Date.now() - LONG_MS);
      session.heldBehind = 60;
      await page.goto(`${server.url}/sessions/session-long-torn`);
      await until(({ state, items }) => state === 'live' && items.length === 12);
      await vi.waitFor(async () => expect(await marksOfParts()).toBe(6));
      session.drop();
      await vi.waitFor(() => expect(session.joins.length).toBe(4), { timeout: 10_000 });
      expect(session.joins.slice(2)).toEqual([expect.stringMatching(/^\d+\.\d+$/), expect.stringMatching(/^\d+\.\d+$/)]);
      await vi.waitFor(async () => expect(await marksOfParts()).toBe(10));
      await stand(7 * 240_000 + 35_000);
      expect((await until(({ items }) => items.length === 2)).items).toEqual(numbered(2));
      expect((await until(({ state }) => state === 'paused')).faults).toBe(0);
    });

    test('that is deleted while its history is on its way, is told so', async () => {
      longPage('session-long-deleted', Date.now() - LONG_MS);
      session.heldBehind = 30;
      await page.goto(`${server.url}/sessions/session-long-deleted`);
      await until(({ state, items }) => state === 'live' && items.length === 12);
      await vi.waitFor(() => expect(session.joins).toEqual(['keyframe', 'start']));
      server.sessions.delete('session-long-deleted');
      session.drop();
      await until(({ state }) => state === 'deleted');
      await page.getByText('This session was deleted').waitFor();
      await vi.waitFor(() => expect(session.connections.size).toBe(0));
    });

    test('that ends while its history is on its way, sees the end and then all of it', async () => {
      longPage('session-long-ends', Date.now() - LONG_MS);
      session.heldBehind = 30;
      await page.goto(`${server.url}/sessions/session-long-ends`);
      await until(({ state, items }) => state === 'live' && items.length === 12);
      await vi.waitFor(() => expect(session.joins).toEqual(['keyframe', 'start']));
      session.end('closed');
      const ended = await until(({ state }) => state === 'ended');
      expect(ended.text).toBe('Ended · the visitor left');
      expect(ended.items).toEqual(numbered(12));
      session.release();
      await vi.waitFor(async () => expect(await marksOfParts()).toBe(10));
      await stand(15_000);
      expect((await until(({ timeMs, items }) => timeMs === 15_000 && items.length === 1)).items).toEqual(numbered(1));
      expect(await gaps()).toEqual([]);
    });
  });

  test('End shows the last moment of a session that is over, also while its history is still coming', async () => {
    const now = Date.now();
    session = server.add('session-over', { startedAtMs: now - 90_000, endedAtMs: now, endReason: 'told' });
    session.append('window-1', [countingPage(now - 90_000), countingItem(now - 89_000, 0)]);
    await page.goto(`${server.url}/sessions/session-over`);
    await until(({ state, items }) => state === 'ended' && items.length === 1);
    await page.keyboard.press('End');
    session.append('window-1', [countingItem(now - 10_000, 1)]);
    const last = await until(({ items, timeMs }) => items.length === 2 && timeMs > 1_000);
    expect(last.timeMs).toBe(80_000);
  });

  test('after a lost connection it continues behind the last position, without repeating or leaving out', async () => {
    await countLive();
    const before = await until(({ state, items }) => state === 'live' && items.length > 4);
    session.drop();
    await vi.waitFor(() => expect(session.joins.length).toBeGreaterThan(2), { timeout: 10_000 });
    const after = await until(({ state, items }) => state === 'live' && items.length > before.items.length + 8);
    expect(after.items).toEqual(numbered(after.items.length));
    expect(session.joins).toEqual(['keyframe', 'start', expect.stringMatching(/^\d+\.\d+$/)]);
    expect(after.faults).toBe(0);
  });

  test('a page in parts is shown when its last part has come, live, in history and after a reload; a part of a page never is', async () => {
    const now = Date.now();
    session = server.add('session-parts', { startedAtMs: now - 9_000 });
    const send = (frame: Frame): unknown => session.append('window-1', [frame]);
    const pageInParts = (timestampMs: number): Frame[] => splitFrame(countingPage(timestampMs), 150);
    const parts = pageInParts(now - 9_000);
    expect(parts.length).toBeGreaterThan(3);
    parts.slice(0, 2).forEach(send);
    session.append('window-2', [countingPage(now - 9_400), countingItem(now - 9_300, 0)]);
    parts.slice(2, -1).forEach(send);
    await page.goto(`${server.url}/sessions/session-parts`);
    await until(({ state, items }) => state === 'live' && items.length === 1);
    const windows = () =>
      page.evaluate(() => {
        const app = document.querySelector('playhead-app')?.shadowRoot?.querySelector('playhead-session-page')?.shadowRoot;
        const player = app?.querySelector('playhead-player');
        return ['window-1', 'window-2'].map((id) => player?.contentDocument(id)?.querySelectorAll('li').length ?? null);
      });
    expect(await windows()).toEqual([null, 1]);
    // Cut off between two parts: the stream goes on behind the last one.
    session.drop();
    await vi.waitFor(() => expect(session.joins.length).toBeGreaterThan(2), { timeout: 10_000 });
    await until(({ state }) => state === 'live' || state === 'idle');
    parts.slice(-1).forEach(send);
    send(countingItem(now - 8_000, 0));
    send(countingItem(now - 7_000, 1));
    await until(({ items }) => items.length === 2);
    // A page that breaks off: what is there goes on.
    pageInParts(now - 6_000)
      .slice(0, 3)
      .forEach(send);
    send(countingItem(now - 5_000, 2));
    await until(({ items }) => items.length === 3);
    // A page anew.
    pageInParts(now - 4_000).forEach(send);
    send(countingItem(now - 3_500, 0));
    await until(({ items }) => items.length === 1);
    session.end('told');
    await page.reload();
    const seek = (timeMs: number): Promise<void> =>
      page.evaluate((to) => {
        const app = document.querySelector('playhead-app')?.shadowRoot?.querySelector('playhead-session-page')?.shadowRoot;
        app?.querySelector('playhead-player')?.pause();
        app?.querySelector('playhead-player')?.seek(to);
      }, timeMs);
    await until(({ state }) => state === 'ended');
    await seek(4_500);
    expect((await until(({ timeMs, items }) => timeMs === 4_500 && items.length === 3)).items).toEqual(numbered(3));
    await seek(5_900);
    const seen = await until(({ timeMs, items }) => timeMs === 5_900 && items.length === 1);
    expect(seen.items).toEqual(numbered(1));
    expect(seen.faults).toBe(0);
    expect(said).toEqual([]);
  });

  test('frames that come out of the order of time are put in their place', async () => {
    const now = Date.now();
    session = server.add('session-disorder', { startedAtMs: now });
    session.append('window-1', [countingPage(now - 4_000), countingItem(now - 3_900, 0)]);
    await page.goto(`${server.url}/sessions/session-disorder`);
    await until(({ state, items }) => state === 'live' && items.length === 1);
    session.append('window-1', [countingItem(Date.now() - 100, 2)]);
    await until(({ items }) => items.length === 2);
    session.append('window-1', [countingItem(Date.now() - 1_500, 1)]);
    const seen = await until(({ items }) => items.length === 3);
    expect(seen.items).toEqual(numbered(3));
  });

  test('an event that rrweb cannot apply costs only itself, and is counted', async () => {
    const now = Date.now();
    session = server.add('session-poison', { startedAtMs: now });
    const poison = { type: 3, data: { source: 1, positions: null }, timestamp: now - 3_000 };
    const bad = { ...countingItem(now - 3_000, 0), payload: new TextEncoder().encode(JSON.stringify(poison)) };
    const broken = { ...countingItem(now - 2_990, 0), payload: new TextEncoder().encode('{"type":3') };
    session.append('window-1', [countingPage(now - 4_000), countingItem(now - 3_900, 0), bad, broken, countingItem(now - 2_000, 1)]);
    await page.goto(`${server.url}/sessions/session-poison`);
    const seen = await until(({ items }) => items.length === 2);
    expect(seen.faults).toBeGreaterThan(0);
    session.append('window-1', [{ ...bad, timestampMs: Date.now() }, countingItem(Date.now(), 2)]);
    await until(({ items }) => items.length === 3);
    expect(said).toEqual([]);
  });

  test('the replayed page has no scripts, and cannot have any', async () => {
    await countLive();
    await until(({ items }) => items.length > 0);
    const sandbox = await page.evaluate(() => {
      const app = document.querySelector('playhead-app')?.shadowRoot?.querySelector('playhead-session-page')?.shadowRoot;
      return app?.querySelector('playhead-player')?.shadowRoot?.querySelector('iframe')?.getAttribute('sandbox');
    });
    expect(sandbox).toBe('allow-same-origin');
  });

  test('when the session ends, the state says why, and it stays seekable', async () => {
    await countLive();
    await until(({ state, items }) => state === 'live' && items.length > 6);
    clearInterval(recording);
    session.end('closed');
    const ended = await until(({ state }) => state === 'ended');
    expect(ended.text).toBe('Ended · the visitor left');
    const all = session.uploads.flatMap((upload) => upload.frames).length - 1;
    await until(({ items }) => items.length === all);
    await page.keyboard.press('ArrowLeft');
    await until(({ items }) => items.length < all);
    await until(({ items }) => items.length === all);
  });

  test('a gap is told, and what comes after it is shown', async () => {
    await countLive();
    await until(({ state }) => state === 'live');
    session.control({ type: 'gap', firstOffset: 1 as never, lastOffset: 2 as never, reason: 'trimmed' });
    await until(({ state }) => state === 'gap' || state === 'live');
    await until(({ state, items }) => state === 'live' && items.length > 8);
    expect(await page.getByText('A part of this session is missing').isVisible()).toBe(true);
    const listed = await gaps();
    expect(listed).toHaveLength(1);
    expect(listed[0]).toMatch(/^Gap, .*: too old, no longer kept/);
  });

  /** The gaps of the timeline, as they are told to people who listen. */
  const gaps = (): Promise<string[]> =>
    page.evaluate(() => {
      const app = document.querySelector('playhead-app')?.shadowRoot?.querySelector('playhead-session-page')?.shadowRoot;
      const timeline = app?.querySelector('playhead-player')?.shadowRoot?.querySelector('playhead-timeline')?.shadowRoot;
      return [...(timeline?.querySelectorAll('.gap') ?? [])].map((gap) => gap.textContent?.trim() ?? '');
    });
  /** What the stage says in words. */
  const stageSays = (): Promise<string> =>
    page.evaluate(() => {
      const app = document.querySelector('playhead-app')?.shadowRoot?.querySelector('playhead-session-page')?.shadowRoot;
      const said = app?.querySelector('playhead-player')?.shadowRoot?.querySelector('.veil.gap')?.textContent;
      return said?.replace(/\s+/g, ' ').trim() ?? '';
    });
  const stand = (timeMs: number): Promise<void> =>
    page.evaluate((at) => {
      const app = document.querySelector('playhead-app')?.shadowRoot?.querySelector('playhead-session-page')?.shadowRoot;
      const player = app?.querySelector('playhead-player');
      player?.pause();
      player?.seek(at);
    }, timeMs);

  describe('gaps', () => {
    test('that a recorder tells are on the timeline and in the list; inside of one the stage says so, and skipping inactivity jumps over it', async () => {
      const start = Date.now() - 90_000;
      session = server.add('session-with-gaps', { startedAtMs: start, endedAtMs: Date.now(), endReason: 'told' });
      const gap = {
        kind: 'gap',
        reason: 'buffer_full',
        fromMs: start + 4_000,
        toMs: start + 24_000,
        frames: 31,
        bytes: 8_400_000,
      } as const;
      session.append('window-1', [countingPage(start), countingItem(start + 3_000, 0)]);
      session.append('window-1', [signalFrame(start + 25_000, gap), countingItem(start + 25_000, 1), countingItem(start + 30_000, 2)]);
      // At its end, where no frame follows: the timeline holds it.
      const left = { kind: 'gap', reason: 'page_left', fromMs: start + 30_000, toMs: start + 42_000 } as const;
      session.append('window-1', [signalFrame(start + 42_000, left)]);
      await page.goto(`${server.url}/sessions/session-with-gaps`);
      await until(({ state, position }) => state === 'ended' && position !== null);
      expect(await gaps()).toEqual([
        'Gap, 0:04 to 0:24: too much waited to be sent; 20 s, 31 frames, 8.4 MB',
        'Gap, 0:30 to 0:42: the page was left before it was sent; 12 s',
      ]);
      expect(await page.getByText('A part of this session is missing: 2 gaps, 32 s.').isVisible()).toBe(true);
      expect(await page.getByText('/ 0:42').isVisible()).toBe(true);
      await stand(10_000);
      await until(({ timeMs }) => timeMs === 10_000);
      await page.getByText('Nothing was recorded from 0:04 to 0:24').waitFor();
      expect(await stageSays()).toContain('Too much waited to be sent.');
      await stand(1_000);
      await until(({ timeMs }) => timeMs === 1_000);
      expect(await stageSays()).toBe('');
      // The list leads there.
      await page.getByRole('button', { name: /^Gap, 0:04 to 0:24/ }).click();
      await until(({ timeMs }) => timeMs === 3_500);
      await page.getByLabel('Skip inactivity').click();
      await page.getByRole('button', { name: 'Play' }).click();
      await until(({ timeMs }) => timeMs >= 23_000, 8_000);
    });

    test('that come while somebody watches are shown as they come', async () => {
      await countLive();
      await until(({ state, items }) => state === 'live' && items.length > 2);
      expect(await gaps()).toEqual([]);
      const now = Date.now() + SKEW_MS;
      session.append('window-1', [signalFrame(now, { kind: 'gap', reason: 'background', fromMs: now - 900, toMs: now - 100 })]);
      await page.getByRole('button', { name: /^Gap, .*it was in the background/ }).waitFor();
      expect(await gaps()).toHaveLength(1);
      // Nothing was lost: there is no warning.
      expect(await page.getByText('A part of this session is missing').count()).toBe(0);
    });

    test('a page whose keyframe is missing says until when there is no picture, also when none comes at all', async () => {
      const start = Date.now() - 90_000;
      session = server.add('session-late-keyframe', { startedAtMs: start, endedAtMs: Date.now(), endReason: 'told' });
      session.append('window-1', [countingItem(start, 7), countingItem(start + 9_000, 8)]);
      session.append('window-1', [countingPage(start + 12_000), countingItem(start + 13_000, 0)]);
      await page.goto(`${server.url}/sessions/session-late-keyframe`);
      await page.getByText('No picture until 0:12').waitFor();
      expect(await stageSays()).toContain('The keyframe is missing.');
      await stand(12_500);
      await page.getByText('No picture until 0:12').waitFor({ state: 'detached' });

      session = server.add('session-no-keyframe', { startedAtMs: start, endedAtMs: Date.now(), endReason: 'told' });
      session.append('window-1', [countingItem(start, 0), countingItem(start + 9_000, 1)]);
      await page.goto(`${server.url}/sessions/session-no-keyframe`);
      await page.getByText('No picture from 0:00 on').waitFor();
    });
  });

  test('a session that is not there, and a viewer who is not signed in, are told so', async () => {
    await page.goto(`${server.url}/sessions/session-nowhere`);
    await until(({ state }) => state === 'refused');
    expect(await page.getByText('There is no such session').isVisible()).toBe(true);
    server.signedIn = false;
    await page.goto(`${server.url}/sessions/session-nowhere`);
    await page.getByText('You are not signed in').waitFor();
    await page.goto(`${server.url}/`);
    await page.getByText('Open the link that the server printed').waitFor();
  });

  test('the list shows a session as soon as it starts, and its end', async () => {
    await page.goto(`${server.url}/`);
    await page.getByText('No sessions yet').waitFor();
    const started = server.add('session-fresh-one', { userId: 'grace@example.com' });
    const line = page.locator('[data-session=session-fresh-one]');
    await line.waitFor();
    expect(await line.getByText('Live').isVisible()).toBe(true);
    started.end('told');
    server.announce(started);
    await line.getByText('Live').waitFor({ state: 'detached' });
    await line.click();
    await page.waitForURL('**/sessions/session-fresh-one');
    await page.goBack();
    await line.waitFor();
  });

  test('who goes back to the list is no viewer of the session any more', async () => {
    await countLive();
    await until(({ state, items }) => state === 'live' && items.length > 2);
    await page.getByLabel('Playhead, all sessions').click();
    await page.locator('[data-session=session-counting]').waitFor();
    await vi.waitFor(() => expect(session.connections.size).toBe(0));
    const { length } = session.joins;
    await page.waitForRequest('**/v1/sessions?*');
    expect(session.joins.length).toBe(length);
    expect(session.connections.size).toBe(0);
  });

  test('the window in which the visitor is active is shown, and another can be chosen', async () => {
    const now = Date.now();
    session = server.add('session-windows', { startedAtMs: now, endedAtMs: now, endReason: 'told', windows: 2 });
    session.append('window-1', [countingPage(now - 5_000), countingItem(now - 4_900, 0)]);
    session.append('window-2', [
      countingPage(now - 4_000),
      countingItem(now - 3_900, 0),
      countingItem(now - 3_800, 1),
      countingItem(now - 1_000, 2),
    ]);
    await page.goto(`${server.url}/sessions/session-windows`);
    await until(({ items }) => items.length === 3);
    await page.getByLabel('Window', { exact: true }).selectOption('window-1');
    const chosen = await until(({ items }) => items.length === 1);
    expect(chosen.items).toEqual(numbered(1));
  });

  describe('with pictures', () => {
    test('the canvas is never blank after the first picture, and a late older one does not take it back', async () => {
      const jpegs = await paintJpegs(page, 40);
      const start = Date.now() - 10_000;
      session = server.add('session-pictures', { source: 'phone', startedAtMs: start });
      for (let index = 0; index < 10; index++)
        session.append('phone', [imageFrame(start + index * 1_000, jpegs[index] ?? new Uint8Array())]);
      session.append('phone', [signalFrame(start + 3_000, { kind: 'tap', text: 'Buy' })]);
      session.store();
      await page.goto(`${server.url}/sessions/session-pictures`);
      await until(({ state, position }) => state === 'live' && position !== null);
      await page.evaluate(() => {
        const player = document
          .querySelector('playhead-app')
          ?.shadowRoot?.querySelector('playhead-session-page')
          ?.shadowRoot?.querySelector('playhead-player');
        const watch = { blank: 0, looks: 0, positions: [] as string[] };
        Object.assign(window, { watch });
        const check = (): void => {
          const canvas = player?.canvas;
          const pixel = canvas && canvas.width > 0 ? canvas.getContext('2d')?.getImageData(2, 2, 1, 1).data[3] : 0;
          watch.looks++;
          if (pixel !== 255) watch.blank++;
          const position = canvas?.dataset['position'] ?? '';
          if (watch.positions.at(-1) !== position) watch.positions.push(position);
          requestAnimationFrame(check);
        };
        requestAnimationFrame(check);
      });
      for (let index = 10; index < 22; index++) {
        const frames = [imageFrame(Date.now() - 20, jpegs[index] ?? new Uint8Array())];
        session.append('phone', frames);
        if (index === 15) session.append('phone', [imageFrame(Date.now() - 5_000, jpegs[30] ?? new Uint8Array())]);
        await page.waitForTimeout(120);
      }
      const newest = session.uploads.at(-1)?.frames[0]?.position;
      await until(({ position }) => position === `${newest?.offset}.0`);
      const late = session.uploads.find((upload) => upload.frames[0]?.payload === jpegs[30])?.frames[0]?.position.offset;
      const watch = await page.evaluate(
        () => (window as unknown as { watch: { blank: number; looks: number; positions: string[] } }).watch,
      );
      expect(watch.looks).toBeGreaterThan(30);
      expect(watch.blank).toBe(0);
      expect(watch.positions).not.toContain(`${late}.0`);
      const offsets = watch.positions.map(Number.parseFloat);
      expect(offsets).toEqual(offsets.toSorted((a, b) => a - b));
    });

    /** A live session of a minute, a picture each second. */
    async function longPictures(sessionId: string): Promise<readonly number[]> {
      const jpegs = await paintJpegs(page, 12);
      const start = Date.now() - 60_000;
      session = server.add(sessionId, { source: 'phone', startedAtMs: start });
      const placed = Array.from({ length: 60 }, (_, index) =>
        session.append('phone', [imageFrame(start + index * 1_000, jpegs[index % 12] ?? new Uint8Array())]),
      );
      session.append('phone', [signalFrame(start + 3_000, { kind: 'tap', text: 'Buy' })]);
      session.store();
      return placed.map(([frame]) => frame?.position.offset ?? 0);
    }

    test('the live picture is drawn before the index has come; who scrubs back waits for it', async () => {
      const offsets = await longPictures('session-pictures-first');
      let letGo = (): void => undefined;
      const gate = new Promise<void>((resolve) => {
        letGo = resolve;
      });
      await page.route('**/blocks', async (route) => {
        await gate;
        await route.continue();
      });
      await page.goto(`${server.url}/sessions/session-pictures-first`);
      await until(({ state, position }) => state === 'live' && position === `${offsets.at(-1)}.0`);
      expect(await isComing()).toBe(true);
      await stand(20_000);
      await vi.waitFor(async () => expect(await isLoading()).toBe(true));
      letGo();
      await until(({ position }) => position === `${offsets[20]}.0`);
      await vi.waitFor(async () => expect([await isLoading(), await isComing()]).toEqual([false, false]));
      expect(session.joins).toEqual(['keyframe']);
      expect((await until(({ state }) => state === 'paused')).faults).toBe(0);
    });

    test('without the index, a stream brings what was before', async () => {
      const offsets = await longPictures('session-pictures-streamed');
      await page.route('**/blocks', (route) => route.abort());
      await page.goto(`${server.url}/sessions/session-pictures-streamed`);
      await until(({ state, position }) => state === 'live' && position === `${offsets.at(-1)}.0`);
      await vi.waitFor(() => expect(session.joins).toEqual(['keyframe', 'start']));
      await vi.waitFor(async () => expect(await isComing()).toBe(false));
      await stand(20_000);
      await until(({ position }) => position === `${offsets[20]}.0`);
      expect(await page.locator('button.signal.tap').count()).toBe(1);
    });

    test('gaps of the recorder and of the catalog are shown, although only the last picture comes with the join', async () => {
      const jpegs = await paintJpegs(page, 6);
      const start = Date.now() - 60_000;
      session = server.add('session-away', { source: 'phone', startedAtMs: start, endedAtMs: Date.now(), endReason: 'silence' });
      const times = [0, 1_000, 2_000, 30_000, 31_000, 40_000];
      const placed = times.flatMap((at, index) => session.append('app', [imageFrame(start + at, jpegs[index] ?? new Uint8Array())]));
      session.append('app', [
        signalFrame(start + 30_000, { kind: 'gap', reason: 'background', fromMs: start + 2_500, toMs: start + 29_500 }),
      ]);
      const [before, behind] = [placed[4]?.position.offset ?? 0, placed[5]?.position.offset ?? 0];
      session.gaps = [{ firstOffset: toOffset(before + 1), lastOffset: toOffset(behind - 1) }];
      session.store();
      await page.goto(`${server.url}/sessions/session-away`);
      await page.getByRole('button', { name: 'Gap, 0:02 to 0:29: it was in the background; 27 s' }).waitFor();
      await page.getByRole('button', { name: 'Gap, 0:31 to 0:40: too old, no longer kept; 9.0 s' }).waitFor();
      expect(session.joins).toEqual(['keyframe']);
      await stand(20_000);
      await page.getByText('Nothing was recorded from 0:02 to 0:29').waitFor();
    });

    test('history is fetched picture by picture: nothing but the last comes with the join', async () => {
      const jpegs = await paintJpegs(page, 12);
      const start = Date.now() - 60_000;
      session = server.add('session-history', { source: 'phone', startedAtMs: start, endedAtMs: Date.now(), endReason: 'silence' });
      const placed = jpegs.flatMap((jpeg, index) => session.append('phone', [imageFrame(start + index * 1_000, jpeg)]));
      session.append('phone', [signalFrame(start + 2_000, { kind: 'tap', text: 'Add to cart' })]);
      session.store();
      const fetched: string[] = [];
      page.on('request', (request) => {
        if (request.url().includes('/frames/')) fetched.push(request.url());
      });
      await page.goto(`${server.url}/sessions/session-history`);
      await until(({ position }) => position === `${placed[0]?.position.offset}.0`);
      expect(session.joins).toEqual(['keyframe']);
      await page.keyboard.press('Space');
      await page.keyboard.press('.');
      await page.keyboard.press('.');
      const stepped = await until(({ position, timeMs }) => position === `${placed[2]?.position.offset}.0` && timeMs === 2_000);
      expect(stepped.faults).toBe(0);
      expect(fetched.length).toBeLessThanOrEqual(8);
      expect(await page.getByText('Add to cart').count()).toBeGreaterThan(0);
    });
  });

  test.runIf(noRecording === '')(
    `a real recording plays to its end without a fault${noRecording && ` (not run: ${noRecording})`}`,
    async () => {
      const start = Date.now() - 200_000;
      session = server.add('session-recorded', { startedAtMs: start, endedAtMs: Date.now(), endReason: 'told' });
      const frames = recordedFrames(start);
      for (let at = 0; at < frames.length; at += 40) session.append('window-1', frames.slice(at, at + 40));
      await page.goto(`${server.url}/sessions/session-recorded`);
      await until(({ state, position }) => state === 'ended' && position !== null);
      await page.keyboard.press('5');
      const seen = await until(({ timeMs }) => timeMs > 81_000, 20_000);
      expect(seen.faults).toBe(0);
      expect(said).toEqual([]);
      const text = await page.evaluate(() => {
        const app = document.querySelector('playhead-app')?.shadowRoot?.querySelector('playhead-session-page')?.shadowRoot;
        return app?.querySelector('playhead-player')?.contentDocument()?.body?.textContent?.length ?? 0;
      });
      expect(text).toBeGreaterThan(500);
    },
  );
});
