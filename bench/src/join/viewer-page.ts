import type { Page } from 'playwright-core';

/** What is asked of a `<playhead-player>`. */
export interface PlayerElement extends HTMLElement {
  readonly canvas: HTMLCanvasElement | null;
  contentDocument(): Document | null;
}

/**
 * Clicks a session in the list, and waits in the page until the player shows something: elements of the recorded document, or a picture.
 * Answers how long that took, ms, to the next frame of the screen. The page is at the list then again.
 */
export async function joinByClick(page: Page, sessionId: string): Promise<number> {
  const link = page.locator(`a[href="/sessions/${sessionId}"]`);
  await link.waitFor();
  const tookMs = await link.evaluate(async (element) => {
    const player = (root: Document | ShadowRoot): PlayerElement | null => {
      const found = root.querySelector<PlayerElement>('playhead-player');
      if (found) return found;
      for (const { shadowRoot } of root.querySelectorAll('*')) {
        const inside = shadowRoot && player(shadowRoot);
        if (inside) return inside;
      }
      return null;
    };
    const isShown = (): boolean => {
      const found = player(document);
      if ((found?.contentDocument()?.body?.childElementCount ?? 0) > 0) return true;
      const canvas = found?.canvas;
      if (!canvas || canvas.width === 0) return false;
      return canvas.getContext('2d')?.getImageData(canvas.width / 2, canvas.height / 2, 1, 1).data[3] === 255;
    };
    const began = performance.now();
    (element as HTMLAnchorElement).click();
    do await new Promise(requestAnimationFrame);
    while (!isShown());
    return performance.now() - began;
  });
  await page.locator('a.brand').click();
  return tookMs;
}
