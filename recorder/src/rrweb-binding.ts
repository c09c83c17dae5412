import { record } from 'rrweb';
import type { NodeFacts, ScrubRules } from './core/scrub.ts';
import { maskValue, scrubEvent } from './core/scrub.ts';
import type { TypedValues } from './core/typed-values.ts';
import type { RawFrame } from './frame-queue.ts';
import { BLOCK_CLASS, MASK_CLASS } from './options.ts';

/** A keyframe at least this often while something happens, ms: what a viewer must read to join, and what one lost upload can spoil. */
const KEYFRAME_EVERY_MS = 5 * 60_000;
/** Pointer positions are gathered for this long, ms. rrweb's 500 would be most of a live viewer's delay. */
const POINTER_EVERY_MS = 200;
/**
 * After a keyframe or a change was lost, a keyframe repairs the picture, and not more often than this, ms: it costs the page a moment.
 * With every keyframe that is lost the pause is twice as long, at most KEYFRAME_EVERY_MS: where pages are too large, the next one is, too.
 */
const REPAIR_EVERY_MS = 10_000;

// rrweb's event types.
const DOM_CONTENT_LOADED = 0;
const LOAD = 1;
const FULL_SNAPSHOT = 2;
const META = 4;

interface RrwebEvent {
  readonly type: number;
  readonly timestamp: number;
  readonly data?: unknown;
}

export interface DomRecordingParts {
  readonly blockSelector: string;
  readonly maskSelector: string;
  readonly keepQuery: ReadonlySet<string>;
  readonly typed: TypedValues;
  readonly emit: (frame: RawFrame) => void;
  /** Something of the page at this moment (Unix ms) is missing. */
  readonly lost: (reason: 'keyframe_lost' | 'fault', atMs: number) => void;
  readonly now: () => number;
}

export interface DomRecording {
  /** Draws the whole page again, as one keyframe. */
  takeKeyframe(): void;
  /** Nothing can be drawn until the next keyframe, which could not be taken yet. */
  readonly isBlind: boolean;
  /** What was given out was lost afterwards: a keyframe, or a change. */
  spoiled(keyframe: boolean): void;
  stop(): void;
}

/** Kinds of input whose value the page may show elsewhere without saying anything about the person. */
const COMMON_TYPES = new Set([
  'search',
  'number',
  'range',
  'date',
  'month',
  'week',
  'time',
  'color',
  'radio',
  'checkbox',
  'file',
  'hidden',
]);

function typeOf(element: Element): string {
  if (element.hasAttribute('data-rr-is-password')) return 'password';
  const type = (element as { type?: unknown }).type;
  return typeof type === 'string' ? type.toLowerCase() : '';
}

function isField(tag: string): boolean {
  return tag === 'input' || tag === 'textarea' || tag === 'select';
}

function factsOfElement(element: Element, parts: DomRecordingParts): NodeFacts {
  const tag = element.tagName.toLowerCase();
  return {
    tag,
    type: tag === 'input' ? typeOf(element) : '',
    value: isField(tag) ? ((element as HTMLInputElement).value ?? '') : '',
    masked: element.closest(parts.maskSelector) !== null,
    blocked: element.closest(parts.blockSelector) !== null,
  };
}

/** Starts rrweb and turns its events into frames: masked, scrubbed, and with Meta and FullSnapshot as one keyframe. */
export function recordDom(parts: DomRecordingParts): DomRecording {
  const nodeOf = (id: number): Node | null => record.mirror.getNode(id);

  const rules: ScrubRules = {
    keepQuery: parts.keepQuery,
    echo: (text) => parts.typed.scrub(text),
    factsOf(id) {
      const node = nodeOf(id);
      const element = node instanceof Element ? node : (node?.parentElement ?? null);
      return element === null ? undefined : factsOfElement(element, parts);
    },
  };

  // Not by rrweb's own input events: it leaves out an input whose mask looks like the one before, as a password's always does.
  const note = (element: HTMLInputElement): void => {
    if (element.tagName === 'SELECT' || COMMON_TYPES.has(typeOf(element)) || element.getAttribute('role') === 'searchbox') return;
    parts.typed.note(element, element.value);
  };
  const onInput = (event: Event): void => {
    const element = event.composedPath()[0];
    if (event.isTrusted && element instanceof Element && isField(element.tagName.toLowerCase())) note(element as HTMLInputElement);
  };
  // On the window and capturing: before the page's own listeners can repeat the value anywhere.
  window.addEventListener('input', onInput, true);
  window.addEventListener('change', onInput, true);
  // People type before an async script has come, and browsers restore what was typed before a reload.
  for (const field of document.querySelectorAll<HTMLInputElement>('input, textarea')) note(field);

  let meta: RrwebEvent | null = null;
  /** rrweb numbers nodes anew with every keyframe: after one that was lost nothing can be drawn until the next. */
  let blind = false;
  let keyframes = 0;
  let repairedAtMs = Number.NEGATIVE_INFINITY;
  let repairEveryMs = REPAIR_EVERY_MS;
  let stopped = false;

  const takeKeyframe = (): void => {
    const before = keyframes;
    try {
      record.takeFullSnapshot(true);
    } catch {
      // It is missed below.
    }
    if (keyframes > before) return;
    // Told once: by what failed to take it down, or here where rrweb gave nothing.
    if (!blind) parts.lost('keyframe_lost', parts.now());
    blind = true;
  };
  const repair = (): void => {
    if (parts.now() - repairedAtMs < repairEveryMs) return;
    repairedAtMs = parts.now();
    // Not inside of what rrweb is doing now.
    setTimeout(() => {
      if (!stopped) takeKeyframe();
    });
  };
  const take = (event: RrwebEvent): void => {
    if (event.type === DOM_CONTENT_LOADED || event.type === LOAD) return;
    scrubEvent(event, rules);
    if (event.type === META) {
      meta = event;
      return;
    }
    if (event.type === FULL_SNAPSHOT && meta !== null) {
      // A viewer gets both or none: one frame.
      const value = [meta, event];
      meta = null;
      blind = false;
      keyframes++;
      parts.emit({ track: 'dom', keyframe: true, timestampMs: event.timestamp, value });
      return;
    }
    if (blind) {
      parts.lost('keyframe_lost', event.timestamp);
      repair();
      return;
    }
    parts.emit({ track: 'dom', keyframe: false, timestampMs: event.timestamp, value: event });
  };

  // Every input kind by name of its tag: rrweb's own "all inputs" leaves out hidden and file.
  const everyInput = { input: true, textarea: true, select: true, password: true } as Record<string, boolean>;
  const stop = record({
    emit: (event: RrwebEvent) => {
      try {
        take(event);
      } catch {
        // What cannot be scrubbed does not leave.
        blind ||= event.type === FULL_SNAPSHOT;
        parts.lost(blind ? 'keyframe_lost' : 'fault', event.timestamp);
        repair();
      }
    },
    blockClass: BLOCK_CLASS,
    blockSelector: parts.blockSelector,
    maskTextClass: MASK_CLASS,
    maskTextSelector: parts.maskSelector,
    ignoreClass: 'playhead-ignore',
    maskInputOptions: everyInput,
    maskInputFn: (text, element) => {
      // Frames of the same origin have windows of their own, where nobody listens.
      if (element.ownerDocument !== document) note(element as HTMLInputElement);
      return maskValue(text, typeOf(element));
    },
    slimDOMOptions: {
      script: true,
      comment: true,
      headFavicon: true,
      headWhitespace: true,
      headMetaSocial: true,
      headMetaRobots: true,
      headMetaHttpEquiv: true,
      headMetaVerification: true,
      headMetaAuthorship: true,
      headMetaDescKeywords: true,
    },
    inlineStylesheet: true,
    recordAfter: 'DOMContentLoaded',
    checkoutEveryNms: KEYFRAME_EVERY_MS,
    sampling: { mousemove: 50, mousemoveCallback: POINTER_EVERY_MS, scroll: 100, media: 500 },
    errorHandler: () => true,
  });

  return {
    takeKeyframe() {
      // Before the document is there, rrweb has not begun; its first snapshot is still to come.
      if (document.readyState === 'loading') return;
      takeKeyframe();
    },
    get isBlind() {
      return blind;
    },
    spoiled(keyframe) {
      blind ||= keyframe;
      if (keyframe) repairEveryMs = Math.min(2 * repairEveryMs, KEYFRAME_EVERY_MS);
      repair();
    },
    stop() {
      stopped = true;
      stop?.();
      window.removeEventListener('input', onInput, true);
      window.removeEventListener('change', onInput, true);
    },
  };
}
