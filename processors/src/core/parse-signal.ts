import type { Signal, SignalKind, Track } from '@playhead/schemas';
import { isGapReason, LIMITS, SIGNAL_KINDS, TRACKS } from '@playhead/schemas';

/** A signal longer than this is not one of ours: our texts are cut far below. It is not parsed. */
const SIGNAL_BYTES_MAX = 64 * 1024;

/** Latest moment that a gap may name: every database has a date for it. 2109, Unix ms. */
const MOMENT_MS_MAX = 2 ** 42;

type Writable = { -readonly [Field in keyof Signal]: Signal[Field] };

const KINDS: ReadonlySet<unknown> = new Set(SIGNAL_KINDS);
const UNREADABLE: Signal = { kind: 'custom' };

/**
 * Reads the payload of a signal frame. Recorders are foreign code, so nothing here throws: what is not JSON, not an
 * object or of an unknown kind is a `custom` signal, and fields of a wrong type are left out. Texts are cut to
 * LIMITS.signalTextCharsMax (URLs to LIMITS.factCharsMax). What a gap tells is read of gaps only.
 */
export function parseSignal(payload: Uint8Array): Signal {
  if (payload.length > SIGNAL_BYTES_MAX) return UNREADABLE;
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(payload));
  } catch {
    return UNREADABLE;
  }
  if (typeof value !== 'object' || value === null) return UNREADABLE;
  const fields = value as Record<string, unknown>;
  const signal: Writable = {
    kind: KINDS.has(fields.kind) ? (fields.kind as SignalKind) : 'custom',
  };
  for (const name of ['selector', 'text', 'value'] as const) {
    const text = fields[name];
    if (typeof text === 'string') signal[name] = text.slice(0, LIMITS.signalTextCharsMax).toWellFormed();
  }
  if (typeof fields.url === 'string') signal.url = fields.url.slice(0, LIMITS.factCharsMax).toWellFormed();
  for (const name of ['x', 'y'] as const) {
    const number = fields[name];
    if (typeof number === 'number' && Number.isFinite(number)) signal[name] = number;
  }
  if (signal.kind === 'gap') readGap(signal, fields);
  return signal;
}

function readGap(signal: Writable, fields: Readonly<Record<string, unknown>>): void {
  if (isGapReason(fields.reason)) signal.reason = fields.reason;
  const [fromMs, toMs] = [momentOf(fields.fromMs), momentOf(fields.toMs)];
  if (fromMs !== undefined) signal.fromMs = fromMs;
  if (toMs !== undefined && (fromMs === undefined || fromMs <= toMs)) signal.toMs = toMs;
  for (const name of ['frames', 'bytes'] as const) {
    const count = fields[name];
    if (typeof count === 'number' && Number.isSafeInteger(count) && count >= 0) signal[name] = count;
  }
  const track = TRACKS.find((known): known is Track => known === fields.track);
  if (track !== undefined) signal.track = track;
}

/** Whole Unix ms. */
function momentOf(value: unknown): number | undefined {
  const plausible = typeof value === 'number' && value >= LIMITS.timestampMinMs && value <= MOMENT_MS_MAX;
  return plausible ? Math.floor(value) : undefined;
}
