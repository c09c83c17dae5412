import type { SessionInfo } from '@playhead/schemas';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { chromiumPath, launchChromium, NO_CHROMIUM } from './chromium.ts';
import type { Deployment } from './deployment.ts';
import { recordedCheckpoint, replayedCheckpoint } from './dom-checkpoint.ts';
import type { DroppingProxy } from './dropping-proxy.ts';
import { openDroppingProxy } from './dropping-proxy.ts';

export interface MainJobOptions {
  readonly open: () => Promise<Deployment>;
  /** How long that may take, ms. */
  readonly openMsMax: number;
  /** How long anything may take to be seen, ms: long enough for a busy machine; no test passes later than it must. */
  readonly waitMsMax: number;
  /** Why it cannot be opened here; '' when it can. */
  readonly left?: string;
}

/**
 * Two browsers and a deployment: one browser shops, the other watches. The steps follow each other as a person would take
 * them, so they share what they see. The same steps for every way to run Playhead.
 */
export function mainJob(where: string, { open, openMsMax, waitMsMax, left = '' }: MainJobOptions): void {
  vi.setConfig({ testTimeout: 3 * waitMsMax });
  const WAIT = { timeout: waitMsMax, interval: 100 };
  const reason = left || (chromiumPath ? '' : NO_CHROMIUM);
  describe.runIf(reason === '')(`a shop visit is watched live and replayed, ${where}${reason && ` (${reason})`}`, () => {
    let server: Deployment;
    let proxy: DroppingProxy;
    let visitor: Browser;
    let agent: Browser;
    let shop: Page;
    let agentContext: BrowserContext;
    let list: Page;
    let viewer: Page;
    let sessionId: string;
    const viewerConsole: string[] = [];

    const player = () => viewer.locator('playhead-player');
    const playerState = (): Promise<string | null> => player().getAttribute('state');
    const session = async (): Promise<SessionInfo> =>
      (await (await agentContext.request.get(`http://127.0.0.1:${proxy.port}/v1/sessions/${sessionId}`)).json()) as SessionInfo;

    /** The DOM in the viewer equals the DOM in the shop, looked at until it does. */
    const expectSameDom = (): Promise<void> =>
      vi.waitFor(async () => expect(await replayedCheckpoint(viewer)).toEqual(await recordedCheckpoint(shop)), WAIT);

    beforeAll(async () => {
      server = await open();
      proxy = await openDroppingProxy(Number(new URL(server.url).port));
      [visitor, agent] = await Promise.all([launchChromium(), launchChromium()]);
      agentContext = await agent.newContext({ viewport: { width: 1280, height: 900 } });
      list = await agentContext.newPage();
      await list.goto(server.link.replace(server.url, `http://127.0.0.1:${proxy.port}`));
      shop = await (await visitor.newContext({ viewport: { width: 1100, height: 800 } })).newPage();
    }, openMsMax + 60_000);

    afterAll(async () => {
      await Promise.all([visitor?.close(), agent?.close()]);
      await proxy?.close();
      await server?.close();
    });

    test('the link signs in, and the token does not stay in the address', () => {
      expect(list.url()).toBe(`http://127.0.0.1:${proxy.port}/`);
    });

    test('the session appears in the list by itself', async () => {
      await shop.goto(server.shopUrl);
      await list.locator('a[href^="/sessions/"]').first().waitFor({ timeout: WAIT.timeout });
      const href = await list.locator('a[href^="/sessions/"]').first().getAttribute('href');
      sessionId = href?.split('/').at(-1) ?? '';
      expect((await session()).live).toBe(true);
    });

    test('opened, it is live and shows the page as it is', async () => {
      viewer = await agentContext.newPage();
      viewer.on('console', (message) => {
        if (['warning', 'error'].includes(message.type())) viewerConsole.push(message.text());
      });
      viewer.on('pageerror', (error) => viewerConsole.push(error.message));
      await viewer.goto(`http://127.0.0.1:${proxy.port}/sessions/${sessionId}`);
      await expectSameDom();
      await vi.waitFor(async () => expect(await playerState()).toBe('live'), WAIT);
    });

    test('clicks, typing and scrolling are shown as they happen, and the lag is on screen as a number', async () => {
      await shop.locator('.add-to-cart').first().click();
      await expectSameDom();
      await shop.locator('#search').pressSequentially('mug', { delay: 40 });
      await expectSameDom();
      await shop.locator('#search').fill('');
      await shop.mouse.wheel(0, 600);
      await vi.waitFor(async () => expect((await recordedCheckpoint(shop)).scrollTop).toBeGreaterThan(300), WAIT);
      await expectSameDom();
      // A watched recorder flushes several times a second: below a second of lag, in words for the agent and as a number for us.
      await vi.waitFor(async () => {
        await shop.locator('.theme-toggle').click();
        expect(Number(await player().getAttribute('lag-ms'))).toBeLessThan(1000);
        expect(Number(await player().getAttribute('lag-ms'))).toBeGreaterThan(0);
        expect(await viewer.getByText(/^Live · 0\.\d s$/).count()).toBe(1);
      }, WAIT);
      await expectSameDom();
    });

    test('another page of the shop is the same session', async () => {
      await shop.locator('.card a').first().click();
      await shop.waitForURL(/product\.html/);
      await expectSameDom();
      expect((await session()).live).toBe(true);
    });

    test('the viewer reloaded shows the page as it is', async () => {
      await viewer.reload();
      await expectSameDom();
    });

    test('the viewer cut off comes back by itself and misses nothing', async () => {
      proxy.drop();
      await shop.locator('.add-to-cart, .button.primary').first().click();
      await expectSameDom();
      await vi.waitFor(async () => expect(await playerState()).toBe('live'), WAIT);
    });

    test('paused, the picture stands while the shop goes on; L goes to live', async () => {
      await player().focus();
      await viewer.keyboard.press('Space');
      await vi.waitFor(async () => expect(await playerState()).toBe('paused'), WAIT);
      const before = await replayedCheckpoint(viewer);
      await shop.locator('.cart-link').click();
      await shop.waitForURL(/cart\.html/);
      // The viewer has what it does not show: it is behind by more than a second.
      await vi.waitFor(async () => expect(await viewer.getByText(/^Paused · .* behind$/).count()).toBe(1), WAIT);
      expect(await replayedCheckpoint(viewer)).toEqual(before);
      await viewer.keyboard.press('l');
      await expectSameDom();
      await vi.waitFor(async () => expect(await playerState()).toBe('live'), WAIT);
    });

    test('everything killed in the middle and started again: recorder and viewer go on where they were', async () => {
      await server.kill();
      await shop.locator('.theme-toggle').click();
      await shop.goto(`${server.shopUrl}checkout.html`).catch(() => undefined);
      await server.start();
      await shop.goto(`${server.shopUrl}checkout.html`);
      await shop.locator('input').nth(1).fill('Ada Lovelace');
      await expectSameDom();
      await vi.waitFor(async () => expect(await playerState()).toBe('live'), WAIT);
    });

    test('the shop closed: the session ends, and plays from its blocks to the same last page', async () => {
      const last = await recordedCheckpoint(shop);
      await shop.close();
      await vi.waitFor(async () => expect((await session()).live).toBe(false), WAIT);
      await vi.waitFor(async () => expect(await playerState()).toBe('ended'), WAIT);
      await vi.waitFor(async () => expect((await session()).counts.clicks).toBeGreaterThan(3), WAIT);

      // Ctrl-C and start: everything is there, from blocks.
      expect(await server.stop()).toBe(true);
      await server.start();
      await viewer.reload();
      await vi.waitFor(async () => expect(await playerState()).toBe('ended'), WAIT);
      await player().focus();
      await viewer.keyboard.press('End');
      await vi.waitFor(async () => expect(await replayedCheckpoint(viewer)).toEqual(last), WAIT);
    });

    test('nothing that was typed reached the viewer', async () => {
      const stream = await viewer.evaluate(
        async (id) =>
          new Promise<string>((resolve) => {
            const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/v1/sessions/${id}/live?from=start`);
            socket.binaryType = 'arraybuffer';
            let text = '';
            socket.addEventListener('message', (event: MessageEvent<string | ArrayBuffer>) => {
              text += typeof event.data === 'string' ? event.data : new TextDecoder().decode(event.data);
              if (typeof event.data !== 'string' || !event.data.includes('"ended"')) return;
              socket.close();
              resolve(text);
            });
          }),
        sessionId,
      );
      expect(stream).toContain('Hearthware');
      expect(stream).not.toContain('Lovelace');
    });

    test('the replay wrote no warning to the console', () => {
      expect(viewerConsole.filter((line) => !/WebSocket|net::ERR|Failed to load resource/.test(line))).toEqual([]);
    });
  });
}
