import type { EndReason } from '@playhead/schemas';
import type { ShownState } from './stream-state.ts';

/** `1:05`, `1:02:03`: a moment or a length, for people. */
export function clockText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const two = (value: number): string => String(value).padStart(2, '0');
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/** `0.4 s`, `12 s`, `3 min`, `2 h`: how long, in one unit. */
export function spanText(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 99.5) return `${Math.round(seconds)} s`;
  if (seconds < 5_970) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}

/** `just now`, `5 min ago`, `yesterday`, `12 days ago`, `3 months ago`, `7 years ago`. */
export function agoText(thenMs: number, nowMs: number): string {
  const minutes = Math.floor((nowMs - thenMs) / 60_000);
  if (minutes < 1) return 'just now';
  if (minutes < 60) return `${minutes} min ago`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ago`;
  const days = Math.floor(hours / 24);
  if (days < 60) return days === 1 ? 'yesterday' : `${days} days ago`;
  const months = Math.round(days / 30.44);
  return months < 24 ? `${months} months ago` : `${Math.floor(days / 365.25)} years ago`;
}

export const END_TEXT: Record<EndReason, string> = {
  told: 'ended by the site',
  closed: 'the visitor left',
  silence: 'went silent',
};

export type GapReason = 'trimmed' | 'unreadable';
export type Refusal = 'unauthorized' | 'forbidden' | 'not-found' | 'invalid' | 'changed';

export interface StateFacts {
  readonly lagMs: number | null;
  readonly behindMs: number;
  readonly rate: number;
  readonly quietMs: number;
  readonly endReason: EndReason | null;
  readonly gapReason: GapReason | null;
  readonly refusal: Refusal | null;
}

const REFUSAL_TEXT: Record<Refusal, string> = {
  unauthorized: 'Not signed in',
  forbidden: 'Not allowed',
  'not-found': 'No such session',
  invalid: 'Cannot be opened',
  changed: 'Replaced',
};

const GAP_TEXT: Record<GapReason, string> = {
  trimmed: 'too old, no longer kept',
  unreadable: 'could not be read',
};

/** One line that says what is true now. */
export function stateText(state: ShownState, facts: StateFacts): string {
  switch (state) {
    case 'connecting':
      return 'Connecting…';
    case 'replaying':
      return facts.behindMs > 1000 ? `Replay · ${spanText(facts.behindMs)} behind` : 'Replay';
    case 'catching-up':
      return facts.rate >= 1.05 ? `Catching up ${facts.rate.toFixed(1)}×` : 'Catching up';
    case 'live':
      return facts.lagMs === null ? 'Live' : `Live · ${spanText(facts.lagMs)}`;
    case 'idle':
      return `Live · idle for ${spanText(facts.quietMs)}`;
    case 'paused':
      return facts.behindMs >= 100 ? `Paused · ${spanText(facts.behindMs)} behind` : 'Paused';
    case 'reconnecting':
      return 'Reconnecting…';
    case 'ended':
      return facts.endReason === null ? 'Ended' : `Ended · ${END_TEXT[facts.endReason]}`;
    case 'gap':
      return facts.gapReason === null ? 'Gap in the recording' : `Gap · ${GAP_TEXT[facts.gapReason]}`;
    case 'deleted':
      return 'Deleted';
    case 'refused':
      return REFUSAL_TEXT[facts.refusal ?? 'invalid'];
  }
}
