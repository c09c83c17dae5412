/** What a site sets. Everything but the key has a default. */
export interface RecorderOptions {
  /** Write key of the project: public, it can only record. */
  readonly key: string;
  /** Origin of ingest, without a slash at the end. Default: where the script came from. */
  readonly endpoint: string;
  /** Elements of which only the size is recorded, besides the built-in ones. */
  readonly blockSelector?: string;
  /** Elements whose text is recorded as stars, besides the built-in ones. */
  readonly maskSelector?: string;
  /** The site's own id of the user. */
  readonly userId?: string;
  /** Names of query parameters whose values may be recorded. */
  readonly keepQuery?: readonly string[];
}

export const BLOCK_CLASS = 'playhead-block';
export const MASK_CLASS = 'playhead-mask';
const BLOCK_SELECTOR = `.${BLOCK_CLASS}, [data-playhead-block]`;
/** What is typed into an editable element is text of the page, so it is masked as text. */
const EDITABLE_SELECTOR = '[contenteditable=""], [contenteditable="true"], [contenteditable="plaintext-only"], [role="textbox"]';
const MASK_SELECTOR = `.${MASK_CLASS}, [data-playhead-mask], ${EDITABLE_SELECTOR}`;

export function blockSelectorOf(options: RecorderOptions): string {
  return options.blockSelector ? `${BLOCK_SELECTOR}, ${options.blockSelector}` : BLOCK_SELECTOR;
}

export function maskSelectorOf(options: RecorderOptions): string {
  return options.maskSelector ? `${MASK_SELECTOR}, ${options.maskSelector}` : MASK_SELECTOR;
}

/** Reads the `data-*` attributes of the recorder's script tag; null when it has no key. */
export function optionsOfScript(script: { readonly src: string; readonly dataset: DOMStringMap }): RecorderOptions | null {
  const { key, endpoint, blockSelector, maskSelector, userId, keepQuery } = script.dataset;
  if (!key) return null;
  return {
    key,
    endpoint: (endpoint ?? new URL(script.src).origin).replace(/\/+$/, ''),
    ...(blockSelector ? { blockSelector } : {}),
    ...(maskSelector ? { maskSelector } : {}),
    ...(userId ? { userId } : {}),
    ...(keepQuery ? { keepQuery: keepQuery.split(',').map((name) => name.trim()) } : {}),
  };
}
