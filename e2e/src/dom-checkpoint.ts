import type { JSHandle, Page } from 'playwright-core';

/**
 * What a person would call the state of a page: its elements with their classes, texts, links and field contents, and how far it is
 * scrolled. Scripts, styles and the head are left out: the replay has no scripts, and the recorder inlines style sheets.
 * The recorder masks fields and masked texts, one `*` a character, so they are compared as such.
 */
export interface DomCheckpoint {
  readonly lines: readonly string[];
  readonly scrollTop: number;
}

/** Runs in the page: no reference to anything outside of it. */
function readDocument(page: Document): DomCheckpoint {
  const left = new Set(['SCRIPT', 'NOSCRIPT', 'STYLE', 'LINK', 'META', 'TITLE', 'HEAD', 'TEMPLATE']);
  const kept = ['id', 'hidden', 'disabled', 'aria-expanded', 'aria-pressed', 'data-theme', 'open'];
  const lines: string[] = [];
  const visit = (node: Node, depth: number): void => {
    if (node.nodeType === 3) {
      const shown = (node.nodeValue ?? '').replaceAll(/\s+/g, ' ').trim();
      const text = node.parentElement?.closest('.playhead-mask, [data-playhead-mask]') ? shown.replaceAll(/\S/g, '*') : shown;
      if (text !== '') lines.push(`${' '.repeat(depth)}"${text}"`);
      return;
    }
    if (node.nodeType !== 1) return;
    const element = node as Element;
    if (left.has(element.tagName.toUpperCase())) return;
    const words = [element.tagName.toLowerCase()];
    const classes = [...element.classList].filter((name) => !name.startsWith(':') && !name.startsWith('rr-')).toSorted();
    if (classes.length > 0) words.push(`.${classes.join('.')}`);
    for (const name of kept) if (element.hasAttribute(name)) words.push(`${name}=${element.getAttribute(name)}`);
    if ('href' in element && typeof element.href === 'string') words.push(`href=${element.href}`);
    if (element.tagName === 'INPUT' || element.tagName === 'TEXTAREA') {
      const field = element as HTMLInputElement;
      words.push(
        field.type === 'radio' || field.type === 'checkbox' ? `checked=${field.checked}` : `value=${'*'.repeat(field.value.length)}`,
      );
    }
    lines.push(' '.repeat(depth) + words.join(' '));
    for (const child of element.childNodes) visit(child, depth + 1);
  };
  if (page.body) visit(page.body, 0);
  return { lines, scrollTop: Math.round(page.documentElement.scrollTop) };
}

/** The page as it is in the recorded browser. */
export async function recordedCheckpoint(page: Page): Promise<DomCheckpoint> {
  return documentCheckpoint(await page.evaluateHandle(() => document));
}

/** The same of any document that a page can reach. */
export async function documentCheckpoint(shown: JSHandle<Document>): Promise<DomCheckpoint> {
  return shown.evaluate(readDocument);
}

/** The same of the replay inside of `<playhead-player>`; null while it draws nothing. */
export async function replayedCheckpoint(page: Page): Promise<DomCheckpoint | null> {
  const replayed = await page
    .locator('playhead-player')
    .evaluateHandle((player) => (player as HTMLElement & { contentDocument(): Document | null }).contentDocument());
  return replayed
    .evaluate((shown) => shown !== null)
    .then((shown) => (shown ? (replayed as JSHandle<Document>).evaluate(readDocument) : null));
}
