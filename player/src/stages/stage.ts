import type { Position } from '@playhead/schemas';

/** What a stage shows of one window. */
export interface Displayed {
  readonly timestampMs: number;
  readonly position: Position;
}

/** One window of a session on the screen: pages are replayed by one kind of stage, pictures drawn by another. */
export interface Stage {
  readonly windowId: string;
  readonly element: HTMLElement;
  /** Shows the window as it was at `timeMs` (Unix ms, recorder's clock), as soon as it can. Called on every animation frame. */
  show(timeMs: number, moving: boolean): void;
  /** The newest frame that is on the screen; null before the first. */
  displayed(): Displayed | null;
  /** Only an active stage draws. */
  setActive(active: boolean): void;
  destroy(): void;
}

/** Where content of some size lies in a box so that all of it is seen, never enlarged beyond `scaleMax`. */
export function fit(
  box: { readonly width: number; readonly height: number },
  content: { readonly width: number; readonly height: number },
  scaleMax: number,
): { readonly scale: number; readonly left: number; readonly top: number } {
  if (content.width <= 0 || content.height <= 0) return { scale: 1, left: 0, top: 0 };
  const scale = Math.min(scaleMax, box.width / content.width, box.height / content.height);
  return { scale, left: (box.width - content.width * scale) / 2, top: (box.height - content.height * scale) / 2 };
}
