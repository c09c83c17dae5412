import type { Signal } from '@playhead/schemas';
import { LIMITS } from '@playhead/schemas';
import type { Loss } from './core/losses.ts';
import { SignalBudget } from './core/signal-budget.ts';
import { redactUrl } from './core/urls.ts';
import { labelOf, meantElement, selectorOf } from './describe-element.ts';

export interface SignalParts {
  readonly blockSelector: string;
  readonly maskSelector: string;
  readonly keepQuery: ReadonlySet<string>;
  /** Masks what was typed on this page. */
  readonly scrub: (text: string) => string;
  readonly emit: (signal: Signal) => void;
  readonly now: () => number;
}

export interface Signals {
  /** Tells where the page is: at its load, and first in every session. */
  navigation(): void;
  custom(name: string, value: string): void;
  /** Takes the stretches in which signals were left out because there were too many: those that are over, or all. */
  missed(all: boolean): Loss[];
  stop(): void;
}

/** Listens for what people and the page do, and tells it as signals. Never prevents or delays what it listens to. */
export function listenForSignals(parts: SignalParts): Signals {
  const budget = new SignalBudget();
  const undo: (() => void)[] = [];
  const hidden = `${parts.blockSelector}, ${parts.maskSelector}`;

  const cut = (text: string): string => parts.scrub(text).slice(0, LIMITS.signalTextCharsMax);
  const emit = (signal: Signal): void => {
    if (budget.take(signal.kind, parts.now())) parts.emit(signal);
  };
  const guarded = <E>(handle: (event: E) => void) => {
    return (event: E): void => {
      try {
        handle(event);
      } catch {
        // A signal less; the page goes on.
      }
    };
  };
  const on = (target: EventTarget, type: string, handle: (event: Event) => void): void => {
    const listener = guarded(handle);
    target.addEventListener(type, listener, { capture: true, passive: true });
    undo.push(() => target.removeEventListener(type, listener, { capture: true }));
  };

  const targetOf = (event: Event): Element | null => {
    const target = event.composedPath()[0] ?? event.target;
    if (target instanceof Element) return target;
    return target instanceof Node ? target.parentElement : null;
  };
  /** A blocked element is named by the block itself: what is inside is nobody's business. */
  const shown = (element: Element): Element => element.closest(parts.blockSelector) ?? element;

  on(document, 'click', (event) => {
    if (!(event instanceof MouseEvent)) return;
    const target = targetOf(event);
    if (target === null) return;
    const element = shown(meantElement(target));
    const text = cut(labelOf(element, hidden));
    emit({
      kind: 'click',
      selector: cut(selectorOf(element)),
      ...(text === '' ? {} : { text }),
      x: Math.round(event.clientX),
      y: Math.round(event.clientY),
    });
  });

  on(document, 'change', (event) => {
    const target = targetOf(event);
    if (target?.matches('input, select, textarea')) emit({ kind: 'input', selector: cut(selectorOf(shown(target))) });
  });

  on(window, 'error', (event) => {
    if (!(event instanceof ErrorEvent)) return;
    const place = event.filename ? `${redactUrl(event.filename)}:${event.lineno}:${event.colno}` : '';
    emit({ kind: 'error', text: cut(event.message || String(event.error)), ...(place === '' ? {} : { value: cut(place) }) });
  });

  on(window, 'unhandledrejection', (event) => {
    const reason: unknown = (event as PromiseRejectionEvent).reason;
    emit({ kind: 'error', text: cut(reason instanceof Error ? `${reason.name}: ${reason.message}` : String(reason)) });
  });

  let lastUrl = '';
  const navigation = (url: string): void => {
    lastUrl = url;
    emit({ kind: 'navigation', url });
  };
  const here = (): string => cut(redactUrl(location.href, parts.keepQuery));
  const moved = guarded(() => {
    // Pages that write every key pressed into the query move nowhere that may be told.
    if (here() !== lastUrl) navigation(here());
  });
  on(window, 'popstate', moved);
  on(window, 'hashchange', moved);
  for (const name of ['pushState', 'replaceState'] as const) {
    const original = history[name];
    const wrapped: typeof original = function (this: History, ...values) {
      original.apply(this, values);
      moved(undefined);
    };
    history[name] = wrapped;
    undo.push(() => {
      // Somebody may have wrapped ours: then it stays, and does nothing more than the original.
      if (history[name] === wrapped) history[name] = original;
    });
  }

  let stopped = false;
  return {
    navigation: () => {
      if (!stopped) guarded(() => navigation(here()))(undefined);
    },
    custom: (name, value) => emit({ kind: 'custom', text: cut(name), ...(value === '' ? {} : { value: cut(value) }) }),
    missed: (all) => budget.missed(parts.now(), all),
    stop() {
      stopped = true;
      for (const step of undo.splice(0)) step();
    },
  };
}
