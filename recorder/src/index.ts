import type { RecorderOptions } from './options.ts';
import { optionsOfScript } from './options.ts';
import { Recorder } from './recorder.ts';

/** `window.playhead`: all that a site can say to the recorder. Nothing here throws. */
export interface PlayheadGlobal {
  /** Begins to record, with these options over those of the script tag. */
  start(options?: Partial<RecorderOptions>): void;
  /** Sends what waits and stops until `start` is called again. */
  stop(): void;
  /** Says who the user is, by the site's own id. */
  identify(userId: string): void;
  /** Tells something that happened. Values other than text are written as JSON. */
  event(name: string, value?: unknown): void;
  /** Null while nothing is recorded. */
  readonly sessionId: string | null;
}

declare global {
  interface Window {
    playhead?: PlayheadGlobal;
  }
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}

/** The parent page records frames of its own origin itself. */
function isRecordedByParent(): boolean {
  try {
    return window.parent !== window && window.parent.playhead !== undefined;
  } catch {
    return false;
  }
}

function install(script: HTMLScriptElement | null): void {
  if (window.playhead !== undefined || isRecordedByParent()) return;
  const fromScript = script === null ? null : optionsOfScript(script);
  let recorder: Recorder | null = null;

  const quietly = <T>(what: string, task: () => T, otherwise: T): T => {
    try {
      return task();
    } catch (error) {
      console.warn(`playhead: ${what}:`, error);
      return otherwise;
    }
  };

  const playhead: PlayheadGlobal = {
    start(options = {}) {
      if (recorder !== null) return;
      const { key, endpoint, ...rest } = { ...fromScript, ...options };
      if (!key || !endpoint) {
        console.warn('playhead: not recording: no key or no endpoint');
        return;
      }
      quietly(
        'not recording',
        () => {
          const next = new Recorder({ key, endpoint, ...rest });
          next.start();
          recorder = next;
        },
        undefined,
      );
    },
    stop() {
      quietly('stop', () => recorder?.stop(), undefined);
      recorder = null;
    },
    identify(userId) {
      quietly('identify', () => recorder?.identify(userId), undefined);
    },
    event(name, value) {
      quietly('event', () => recorder?.event(name, textOf(value)), undefined);
    },
    get sessionId() {
      return quietly('sessionId', () => recorder?.sessionId ?? null, null);
    },
  };
  Object.defineProperty(window, 'playhead', { value: playhead, configurable: true });

  // `data-start="manual"`: the site starts when it may, after consent for example.
  if (fromScript !== null && script?.dataset.start !== 'manual') playhead.start();
  window.dispatchEvent(new CustomEvent('playhead:ready'));
}

if (typeof document !== 'undefined') {
  install(document.currentScript instanceof HTMLScriptElement ? document.currentScript : null);
}
