/** Longest label that a click carries; a longer text is not a label. */
const LABEL_CHARS_MAX = 120;
const ANCESTORS_MAX = 5;
const CLASSES_MAX = 3;
/** Names that a build or a framework made up say nothing tomorrow. */
const GENERATED = /\d{4,}|^:r|^(css|sc|jsx|svelte)-|__[A-Za-z0-9]{5,}$/;

const INTERACTIVE =
  'a, button, summary, label, input, select, textarea, option, [role="button"], [role="link"], [role="menuitem"], [role="tab"]';

/** The element that a person meant with a click: the button, not the icon in it. */
export function meantElement(element: Element): Element {
  return element.closest(INTERACTIVE) ?? element;
}

function selectorPart(element: Element): { text: string; unique: boolean } {
  const tag = element.tagName.toLowerCase();
  const testId = element.getAttribute('data-testid');
  if (testId && !GENERATED.test(testId)) return { text: `${tag}[data-testid="${CSS.escape(testId)}"]`, unique: true };
  const id = element.id;
  const classes = [...element.classList].filter((name) => !GENERATED.test(name)).slice(0, CLASSES_MAX);
  const suffix = classes.map((name) => `.${CSS.escape(name)}`).join('');
  if (id && !GENERATED.test(id)) return { text: `${tag}#${CSS.escape(id)}${suffix}`, unique: true };
  return { text: tag + suffix, unique: false };
}

/**
 * A selector for people and for queries like "clicked .checkout-btn": ids and classes from the element up to the nearest
 * thing with an id. It describes; it need not be unique.
 */
export function selectorOf(element: Element): string {
  const parts: string[] = [];
  let at: Element | null = element;
  while (at !== null && parts.length < ANCESTORS_MAX && at !== document.documentElement && at !== document.body) {
    const part = selectorPart(at);
    parts.unshift(part.text);
    if (part.unique) break;
    at = at.parentElement;
  }
  return parts.length === 0 ? element.tagName.toLowerCase() : parts.join(' > ');
}

/** What a person reads on the element; nothing that is masked, blocked or typed. Empty when there is no label. */
export function labelOf(element: Element, hiddenSelector: string): string {
  if (element.closest(hiddenSelector) !== null || element.matches('input, select, textarea, option')) return '';
  const words: string[] = [];
  let chars = 0;
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT, (node) => {
    if (node instanceof Element) {
      return node.matches(`${hiddenSelector}, input, select, textarea, script, style`) ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_SKIP;
    }
    return NodeFilter.FILTER_ACCEPT;
  });
  while (chars <= LABEL_CHARS_MAX && walker.nextNode()) {
    const text = (walker.currentNode.nodeValue ?? '').replace(/\s+/g, ' ').trim();
    if (text === '') continue;
    words.push(text);
    chars += text.length + 1;
  }
  const label = words.join(' ') || (element.getAttribute('aria-label') ?? '');
  // A click on a whole section has no label; the beginning of the section is not one.
  return label.length <= LABEL_CHARS_MAX || element.matches(INTERACTIVE) ? label.slice(0, LABEL_CHARS_MAX) : '';
}
