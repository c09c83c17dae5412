import { maskOf } from './typed-values.ts';
import { redactUrl } from './urls.ts';

/**
 * The last look at a DOM event before it becomes bytes. rrweb masks the `value` of text inputs; this pass covers what
 * it leaves: default values of cleared fields, hidden inputs, radios and options, attributes that repeat the value,
 * the length of passwords, masked elements' attributes, URLs with queries, and texts in which the page repeats what was typed.
 */

/** What the page says of a node that an event names. */
export interface NodeFacts {
  /** Lower case. */
  readonly tag: string;
  /** `type` of an input, lower case; `password` also for one that was a password before. */
  readonly type: string;
  /** Current value of an input, textarea or select; '' for anything else. */
  readonly value: string;
  /** In an element whose text is masked. */
  readonly masked: boolean;
  /** In an element that is blocked. */
  readonly blocked: boolean;
}

export interface ScrubRules {
  readonly factsOf: (nodeId: number) => NodeFacts | undefined;
  /** Masks what was typed where the page repeats it. */
  readonly echo: (text: string) => string;
  readonly keepQuery: ReadonlySet<string>;
}

// rrweb's numbers: EventType, IncrementalSource and NodeType.
const FULL_SNAPSHOT = 2;
const INCREMENTAL = 3;
const META = 4;
const MUTATION = 0;
const INPUT = 5;
const ELEMENT = 2;
const TEXT = 3;

type Attributes = Record<string, unknown>;
interface SerializedNode {
  readonly type: number;
  readonly id: number;
  readonly tagName?: string;
  readonly attributes?: Attributes;
  readonly childNodes?: SerializedNode[];
  textContent?: string;
}
interface MutationData {
  adds?: { node: SerializedNode; parentId?: number }[];
  texts?: { id: number; value: string | null }[];
  attributes?: { id: number; attributes: Attributes }[];
}

const FIELD_TAGS = new Set(['input', 'textarea', 'select', 'option']);
const BUTTON_TYPES = new Set(['submit', 'button', 'reset', 'image']);
/** Attributes that people read or hear. */
const SPOKEN = new Set(['title', 'alt', 'placeholder', 'label', 'value', 'content', 'summary', 'srcdoc']);
/** Attributes that draw the page: never text, and too many to search. */
const DRAWN = new Set(['class', 'style', 'd', 'points', 'transform', '_cssText', 'rr_dataURL', 'viewBox', 'width', 'height', 'type']);
const LINKS: Readonly<Record<string, readonly string[]>> = {
  a: ['href', 'ping'],
  area: ['href', 'ping'],
  form: ['action'],
  button: ['formaction'],
  input: ['formaction'],
  iframe: ['src', 'rr_src'],
  base: ['href'],
};

function isSpoken(name: string): boolean {
  return SPOKEN.has(name) || name.startsWith('aria-') || name.startsWith('data-');
}

/** Shows as many stars as letters, but a password's length is nobody's business. */
export function maskValue(value: string, type: string): string {
  if (value === '') return '';
  return type === 'password' ? maskOf('********') : maskOf(value);
}

function scrubAttributes(attributes: Attributes, node: NodeFacts, rules: ScrubRules): void {
  const isField = FIELD_TAGS.has(node.tag);
  const isButton = node.tag === 'input' && BUTTON_TYPES.has(node.type);
  for (const name of Object.keys(attributes)) {
    const before = attributes[name];
    if (node.masked && (name === 'checked' || name === 'selected')) {
      delete attributes[name];
      continue;
    }
    if (typeof before !== 'string' || DRAWN.has(name)) continue;
    if (isField && name === 'value' && !isButton) {
      // A radio's or an option's value is never drawn; a text field's is drawn as stars, whatever the attribute said.
      const drawn = node.tag === 'option' || node.type === 'radio' || node.type === 'checkbox' || node.type === 'hidden' ? '' : node.value;
      if (drawn === '') delete attributes[name];
      else attributes[name] = maskValue(drawn, node.type);
      continue;
    }
    if (node.masked && isSpoken(name)) {
      attributes[name] = maskOf(before);
      continue;
    }
    let after = LINKS[node.tag]?.includes(name) ? redactUrl(before, rules.keepQuery) : before;
    if (isField && !isButton && name !== 'id' && name !== 'name' && node.value !== '') {
      // One letter is in every attribute by chance, but not alone.
      if (node.value.length > 1 || after === node.value) after = after.replaceAll(node.value, maskOf(node.value));
    }
    after = rules.echo(after);
    if (after !== before) attributes[name] = after;
  }
}

function scrubTree(node: SerializedNode, parent: { tag: string } | null, rules: ScrubRules): void {
  if (node.type === TEXT) {
    if (!node.textContent || parent?.tag === 'style') return;
    // Only a textarea whose value is empty still has children: its default text, which the user has removed.
    node.textContent = parent?.tag === 'textarea' ? maskOf(node.textContent) : rules.echo(node.textContent);
    return;
  }
  const tag = node.type === ELEMENT ? (node.tagName ?? '') : '';
  if (node.type === ELEMENT && node.attributes) {
    const { type } = node.attributes;
    const unknown = { tag, type: typeof type === 'string' ? type.toLowerCase() : '', value: '', masked: false, blocked: false };
    const facts = rules.factsOf(node.id) ?? unknown;
    scrubAttributes(node.attributes, facts.tag === tag ? facts : { ...facts, tag }, rules);
  }
  for (const child of node.childNodes ?? []) scrubTree(child, { tag }, rules);
}

function scrubMutation(data: MutationData, rules: ScrubRules): void {
  for (const add of data.adds ?? []) {
    scrubTree(add.node, add.parentId === undefined ? null : { tag: rules.factsOf(add.parentId)?.tag ?? '' }, rules);
  }
  if (data.texts) {
    data.texts = data.texts.filter((text) => !rules.factsOf(text.id)?.blocked);
    for (const text of data.texts) {
      if (text.value !== null) text.value = rules.echo(text.value);
    }
  }
  if (data.attributes) {
    // An element can be blocked after it was recorded: from then on nothing inside it leaves.
    data.attributes = data.attributes.filter((change) => !rules.factsOf(change.id)?.blocked);
    for (const change of data.attributes) {
      const facts = rules.factsOf(change.id);
      if (facts) scrubAttributes(change.attributes, facts, rules);
    }
  }
}

/** Scrubs an rrweb event in place. Unknown shapes are left as they are. */
export function scrubEvent(event: { readonly type: number; readonly data?: unknown }, rules: ScrubRules): void {
  if (typeof event.data !== 'object' || event.data === null) return;
  const data = event.data as { source?: number; node?: SerializedNode; href?: string; id?: number; text?: string; isChecked?: boolean };
  if (event.type === META && typeof data.href === 'string') data.href = rules.echo(redactUrl(data.href, rules.keepQuery));
  if (event.type === FULL_SNAPSHOT && data.node) scrubTree(data.node, null, rules);
  if (event.type !== INCREMENTAL) return;
  if (data.source === MUTATION) scrubMutation(data as MutationData, rules);
  if (data.source === INPUT && typeof data.text === 'string') {
    const facts = data.id === undefined ? undefined : rules.factsOf(data.id);
    const type = facts?.type ?? '';
    data.text = type === 'radio' || type === 'checkbox' ? '' : maskValue(data.text, type);
    if (facts?.masked || facts?.blocked) {
      data.text = '';
      data.isChecked = false;
    }
  }
}
