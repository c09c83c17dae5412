/**
 * What the stream of a session is doing, and what a viewer is told about it.
 *
 * Two tables, both total: a state or an input without its cell does not compile. `STREAM` says how the stream's state
 * changes; `SHOWN` combines it with the viewer's playback into the one state that is shown.
 */
export type StreamName =
  | 'connecting'
  | 'replaying'
  | 'catching-up'
  | 'live'
  | 'idle'
  | 'reconnecting'
  | 'ended'
  | 'gap'
  | 'deleted'
  | 'refused';

export type StreamInput =
  /** The connection stands. */
  | 'welcome'
  /** The gateway told what it sends: history, what was missed, or the live edge. */
  | 'replaying'
  | 'catching-up'
  | 'live'
  /** The session is over. */
  | 'ended'
  /** The viewer was too slow; the stream continues from history. */
  | 'lagged'
  /** Frames are lost. */
  | 'gap'
  | 'frames'
  /** The connection lives, and nothing has happened for a while. */
  | 'quiet'
  | 'dropped'
  /** The session is no more, although it was. */
  | 'deleted'
  /** There is nothing to watch for this viewer. */
  | 'refused';

/** `back`: to what was before the gap. */
type Next = StreamName | 'back';

export const STREAM: Record<StreamName, Record<StreamInput, Next>> = {
  connecting: {
    welcome: 'replaying',
    replaying: 'replaying',
    'catching-up': 'catching-up',
    live: 'live',
    ended: 'ended',
    lagged: 'catching-up',
    gap: 'gap',
    frames: 'replaying',
    quiet: 'connecting',
    dropped: 'reconnecting',
    deleted: 'deleted',
    refused: 'refused',
  },
  replaying: {
    welcome: 'replaying',
    replaying: 'replaying',
    'catching-up': 'catching-up',
    live: 'live',
    ended: 'ended',
    lagged: 'catching-up',
    gap: 'gap',
    frames: 'replaying',
    quiet: 'replaying',
    dropped: 'reconnecting',
    deleted: 'deleted',
    refused: 'refused',
  },
  'catching-up': {
    welcome: 'catching-up',
    replaying: 'catching-up',
    'catching-up': 'catching-up',
    live: 'live',
    ended: 'ended',
    lagged: 'catching-up',
    gap: 'gap',
    frames: 'catching-up',
    quiet: 'catching-up',
    dropped: 'reconnecting',
    deleted: 'deleted',
    refused: 'refused',
  },
  live: {
    welcome: 'live',
    replaying: 'replaying',
    'catching-up': 'catching-up',
    live: 'live',
    ended: 'ended',
    lagged: 'catching-up',
    gap: 'gap',
    frames: 'live',
    quiet: 'idle',
    dropped: 'reconnecting',
    deleted: 'deleted',
    refused: 'refused',
  },
  idle: {
    welcome: 'live',
    replaying: 'replaying',
    'catching-up': 'catching-up',
    live: 'idle',
    ended: 'ended',
    lagged: 'catching-up',
    gap: 'gap',
    frames: 'live',
    quiet: 'idle',
    dropped: 'reconnecting',
    deleted: 'deleted',
    refused: 'refused',
  },
  reconnecting: {
    welcome: 'catching-up',
    replaying: 'catching-up',
    'catching-up': 'catching-up',
    live: 'live',
    ended: 'ended',
    lagged: 'catching-up',
    gap: 'gap',
    frames: 'catching-up',
    quiet: 'reconnecting',
    dropped: 'reconnecting',
    deleted: 'deleted',
    refused: 'refused',
  },
  // Late uploads may still come, and a lost connection takes nothing away from what is over.
  ended: {
    welcome: 'ended',
    replaying: 'ended',
    'catching-up': 'ended',
    live: 'ended',
    ended: 'ended',
    lagged: 'ended',
    gap: 'gap',
    frames: 'ended',
    quiet: 'ended',
    dropped: 'ended',
    deleted: 'deleted',
    refused: 'ended',
  },
  gap: {
    welcome: 'back',
    replaying: 'gap',
    'catching-up': 'gap',
    live: 'live',
    ended: 'ended',
    lagged: 'gap',
    gap: 'gap',
    frames: 'back',
    quiet: 'back',
    dropped: 'reconnecting',
    deleted: 'deleted',
    refused: 'refused',
  },
  deleted: {
    welcome: 'deleted',
    replaying: 'deleted',
    'catching-up': 'deleted',
    live: 'deleted',
    ended: 'deleted',
    lagged: 'deleted',
    gap: 'deleted',
    frames: 'deleted',
    quiet: 'deleted',
    dropped: 'deleted',
    deleted: 'deleted',
    refused: 'deleted',
  },
  refused: {
    welcome: 'replaying',
    replaying: 'refused',
    'catching-up': 'refused',
    live: 'refused',
    ended: 'refused',
    lagged: 'refused',
    gap: 'refused',
    frames: 'refused',
    quiet: 'refused',
    dropped: 'refused',
    deleted: 'deleted',
    refused: 'refused',
  },
};

export interface StreamState {
  readonly name: StreamName;
  /** What a gap gives way to. */
  readonly under: Exclude<StreamName, 'gap'>;
}

export const CONNECTING: StreamState = { name: 'connecting', under: 'connecting' };

export function stepStream(state: StreamState, input: StreamInput): StreamState {
  const next = STREAM[state.name][input];
  if (next === 'gap') return { name: 'gap', under: state.name === 'gap' ? state.under : settled(state.name) };
  const name = next === 'back' ? state.under : next;
  return name === state.name && name === state.under ? state : { name, under: name };
}

/** A gap that comes before anything else is a gap in the replay. */
function settled(name: Exclude<StreamName, 'gap'>): Exclude<StreamName, 'gap'> {
  return name === 'connecting' || name === 'reconnecting' ? 'replaying' : name;
}

/** What the viewer does: hold to the live edge, watch an earlier moment, hurry towards the edge, stand still. */
export type Playback = 'following' | 'playing' | 'hurrying' | 'paused';

export type ShownState = StreamName | 'paused';

export const SHOWN: Record<StreamName, Record<Playback, ShownState>> = {
  connecting: { following: 'connecting', playing: 'connecting', hurrying: 'connecting', paused: 'connecting' },
  replaying: { following: 'replaying', playing: 'replaying', hurrying: 'replaying', paused: 'paused' },
  'catching-up': { following: 'catching-up', playing: 'replaying', hurrying: 'catching-up', paused: 'paused' },
  live: { following: 'live', playing: 'replaying', hurrying: 'catching-up', paused: 'paused' },
  idle: { following: 'idle', playing: 'replaying', hurrying: 'catching-up', paused: 'paused' },
  reconnecting: { following: 'reconnecting', playing: 'reconnecting', hurrying: 'reconnecting', paused: 'reconnecting' },
  ended: { following: 'ended', playing: 'ended', hurrying: 'ended', paused: 'ended' },
  gap: { following: 'gap', playing: 'gap', hurrying: 'gap', paused: 'gap' },
  deleted: { following: 'deleted', playing: 'deleted', hurrying: 'deleted', paused: 'deleted' },
  refused: { following: 'refused', playing: 'refused', hurrying: 'refused', paused: 'refused' },
};

export function shownState(stream: StreamState, playback: Playback): ShownState {
  return SHOWN[stream.name][playback];
}
