import type { EndReason, GapReason } from '@playhead/schemas';
import type { Gap, ReaderReason, ServerReason } from './gaps.ts';
import { hidesPicture } from './gaps.ts';
import { mergeRanges } from './inactivity.ts';
import { kindText } from './marks.ts';
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

export type Refusal = 'unauthorized' | 'forbidden' | 'not-found' | 'invalid' | 'changed';

export interface StateFacts {
  readonly lagMs: number | null;
  readonly behindMs: number;
  readonly rate: number;
  readonly quietMs: number;
  readonly endReason: EndReason | null;
  readonly gapReason: string | null;
  readonly refusal: Refusal | null;
}

const REFUSAL_TEXT: Record<Refusal, string> = {
  unauthorized: 'Not signed in',
  forbidden: 'Not allowed',
  'not-found': 'No such session',
  invalid: 'Cannot be opened',
  changed: 'Replaced',
};

/** Why something is missing: by recorders, by the server, by this reader. */
const GAP_TEXT: Readonly<Record<GapReason | ServerReason | ReaderReason, string>> = {
  background: 'it was in the background',
  buffer_full: 'too much waited to be sent',
  refused: 'the server refused it',
  session_over: 'it came after the end of its session',
  too_large: 'it was too large',
  keyframe_lost: 'the page could not be drawn',
  page_left: 'the page was left before it was sent',
  too_many_signals: 'too many at once',
  fault: 'it could not be recorded',
  trimmed: 'too old, no longer kept',
  unreadable: 'could not be read',
  no_keyframe: 'the keyframe is missing',
  keyframe_incomplete: 'the keyframe did not arrive whole',
  incomplete: 'it did not arrive whole',
  unknown: 'for a reason that is not known',
};

/** Why there is a gap, in words that follow a colon; a word that is not known here as it is. */
export function gapWhy({ reason, of }: Pick<Gap, 'reason' | 'of'>): string {
  const text = (GAP_TEXT as Readonly<Record<string, string>>)[reason] ?? reason.replaceAll('_', ' ');
  return of === null ? text : `${text} (${kindText(of).toLowerCase()})`;
}

/** `0:30 – 0:52`, `from 0:30 on`, `before 0:00`, `0:30`: when, from the beginning of the timeline. */
export function gapWhen(gap: Pick<Gap, 'fromMs' | 'toMs' | 'open'>, startMs: number): string {
  const [from, to] = [clockText(gap.fromMs - startMs), clockText(gap.toMs - startMs)];
  if (gap.open) return `from ${from} on`;
  if (gap.toMs <= startMs && gap.fromMs < startMs) return 'before 0:00';
  return from === to ? from : `${from} – ${to}`;
}

/** What is missing, as far as it is known: `22 s, 31 frames, 8.4 MB`. */
export function gapSize(gap: Pick<Gap, 'fromMs' | 'toMs' | 'frames' | 'bytes' | 'track'>): string {
  const parts = [
    gap.toMs - gap.fromMs >= 1_000 ? spanText(gap.toMs - gap.fromMs) : '',
    gap.frames === null || gap.frames === 0
      ? ''
      : counted(gap.frames, gap.track === 'signal' ? 'signal' : gap.track === 'image' ? 'picture' : 'frame'),
    gap.bytes === null || gap.bytes < 1_000 ? '' : bytesText(gap.bytes),
  ];
  return parts.filter(Boolean).join(', ');
}

/** A gap for people who listen. */
export function gapLabel(gap: Gap, startMs: number): string {
  const when = gapWhen(gap, startMs).replace(' – ', ' to ');
  const size = gapSize(gap);
  return `Gap, ${when}: ${gapWhy(gap)}${size === '' ? '' : `; ${size}`}`;
}

/** What the stage says inside of a gap. */
export function gapTitle(gap: Gap, startMs: number): string {
  const [from, to] = [clockText(gap.fromMs - startMs), clockText(gap.toMs - startMs)];
  const what = hidesPicture(gap) ? 'No picture' : 'Nothing was recorded';
  if (gap.open) return `${what} from ${from} on`;
  return hidesPicture(gap) ? `${what} until ${to}` : `${what} from ${from} to ${to}`;
}

/** `2 gaps, 24 s`: all of them together. */
export function gapsText(gaps: readonly Gap[]): string {
  const missingMs = mergeRanges(gaps.filter(({ track }) => track !== 'signal')).reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0);
  return [counted(gaps.length, 'gap'), missingMs >= 1_000 ? spanText(missingMs) : ''].filter(Boolean).join(', ');
}

/** `In the background.` */
export function sentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** `8.4 MB`, `310 KB`. */
function bytesText(bytes: number): string {
  return bytes < 1_000_000 ? `${Math.round(bytes / 1_000)} KB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}

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
      return facts.gapReason === null ? 'Gap in the recording' : `Gap · ${gapWhy({ reason: facts.gapReason, of: null })}`;
    case 'deleted':
      return 'Deleted';
    case 'refused':
      return REFUSAL_TEXT[facts.refusal ?? 'invalid'];
  }
}
