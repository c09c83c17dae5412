import { gzipSync } from 'node:zlib';
import type { LiveGatewaySettings } from '@playhead/live-gateway';
import type { ProcessorSettings } from '@playhead/processors';
import type { Frame, Upload } from '@playhead/schemas';
import { encodeFrames, outlineOf, splitFrame, uuidv7 } from '@playhead/schemas';
import { aDomChange, aDomKeyframe, aSignalFrame } from '@playhead/testkit';
import type { Random } from './random.ts';

/** When a run begins, Unix ms. */
export const START_MS = 1_760_000_000_000;
export const PROJECT = 'shop';

/** What a recorder sends, and when: ms after the start of the run. */
export interface PlannedUpload {
  readonly atMs: number;
  readonly upload: Upload;
  /** Further copies of it, each so many ms after the first was acknowledged. */
  readonly copiesAfterMs: readonly number[];
}

export interface PlannedWindow {
  /** One after the other; an upload that is not acknowledged is sent again before the next. */
  readonly uploads: readonly PlannedUpload[];
  /** The page is gone: what is not acknowledged by then never is. */
  readonly closesAtMs: number;
}

export interface PlannedSession {
  readonly sessionId: string;
  readonly windows: readonly PlannedWindow[];
  /** The site says that it is over. */
  readonly toldEndAtMs: number | null;
}

export interface PlannedViewer {
  readonly sessionId: string;
  readonly joinsAtMs: number;
  readonly join: 'start' | 'keyframe';
  readonly bytesPerMs: number;
  /** Its connection breaks at these times. */
  readonly cutsAtMs: readonly number[];
}

/** Somebody who joins behind a random position, for a while. */
export interface PlannedProbe {
  readonly sessionId: string;
  readonly joinsAtMs: number;
  readonly leavesAtMs: number;
  /** 0 .. 1: which of the positions that the log holds by then. */
  readonly where: number;
}

export type Role = 'ingest' | 'processors' | 'live-gateway';

export type Trouble =
  | { readonly kind: 'kill' | 'stop'; readonly atMs: number; readonly role: Role; readonly awayMs: number }
  | { readonly kind: 'freeze'; readonly atMs: number; readonly role: Role; readonly ms: number }
  | { readonly kind: 'clock jump'; readonly atMs: number; readonly role: Role; readonly ms: number }
  | { readonly kind: 'rebalance' | 'log crash'; readonly atMs: number }
  /** Retention lets go what is older, compacted or not. */
  | { readonly kind: 'trim'; readonly atMs: number; readonly keptMs: number }
  | { readonly kind: 'log away' | 'blocks away' | 'catalog away'; readonly atMs: number; readonly ms: number };

/** Probabilities of what happens to one call of a port. */
export interface Chances {
  readonly slow: number;
  readonly errorBefore: number;
  readonly errorAfter: number;
  readonly death: number;
  readonly lostConnection: number;
}

/** Everything of a run that is decided before it begins. */
export interface Plan {
  readonly partitions: number;
  readonly holeEvery: number;
  readonly processes: Readonly<Record<Role, number>>;
  readonly sessions: readonly PlannedSession[];
  readonly viewers: readonly PlannedViewer[];
  readonly probes: readonly PlannedProbe[];
  readonly troubles: readonly Trouble[];
  readonly chances: Chances;
  readonly slowMaxMs: number;
  readonly catalogLagMaxMs: number;
  readonly groupPatienceMs: number;
  readonly batchBytesMax: number;
  /** How far the clocks of the machines are apart at the start, at most. */
  readonly clockSkewMaxMs: number;
  readonly processors: Partial<ProcessorSettings>;
  readonly gateway: Partial<LiveGatewaySettings>;
  /** From here on nothing goes wrong any more. */
  readonly calmAtMs: number;
}

/** Which kinds of trouble a run has: few at a time find more than all at once. */
type Swarm = Readonly<Record<Trouble['kind'] | 'slow' | 'errors' | 'death' | 'lost connection' | 'skew' | 'lag', boolean>>;

const ROLES: readonly [Role, ...Role[]] = ['ingest', 'processors', 'live-gateway'];
const DAMAGE = ['none', 'none', 'none', 'none', 'none', 'truncated', 'garbage', 'odd signal', 'empty'] as const;

/** The plan of a run. Pure: the same random stream gives the same plan. */
export function planRun(random: Random): Plan {
  const swarm = swarmOf(random);
  const activeMs = random.int(10_000, 60_000);
  const sessions = Array.from({ length: random.int(1, 4) }, () => planSession(random, activeMs));
  const someSession = (): string => random.pick(sessions)?.sessionId ?? '';
  const silenceMs = random.int(8_000, 30_000);
  const slowMaxMs = random.int(50, 4_000);
  return {
    partitions: random.int(1, 2),
    holeEvery: random.chance(0.5) ? random.int(1, 4) : 0,
    processes: { ingest: random.int(1, 2), processors: random.int(1, 3), 'live-gateway': random.int(1, 2) },
    sessions,
    viewers: Array.from({ length: random.int(1, 4) }, () => planViewer(random, someSession(), activeMs)),
    probes: Array.from({ length: random.int(0, 4) }, () => {
      const joinsAtMs = random.int(2_000, activeMs + 10_000);
      return { sessionId: someSession(), joinsAtMs, leavesAtMs: joinsAtMs + random.int(100, 20_000), where: random.unit() };
    }),
    troubles: planTroubles(random, swarm, activeMs),
    chances: {
      slow: swarm.slow ? random.unit() * 0.2 : 0,
      errorBefore: swarm.errors ? random.unit() * 0.2 : 0,
      errorAfter: swarm.errors ? random.unit() * 0.2 : 0,
      death: swarm.death ? random.unit() * 0.02 : 0,
      lostConnection: swarm['lost connection'] ? random.unit() * 0.2 : 0,
    },
    slowMaxMs,
    catalogLagMaxMs: swarm.lag ? random.int(100, 15_000) : 0,
    groupPatienceMs: random.int(0, 6_000),
    batchBytesMax: random.pick([1, 2_000, 64 * 1024]),
    clockSkewMaxMs: swarm.skew ? random.int(10, 5_000) : 0,
    processors: {
      flushAgeMs: random.int(200, 5_000),
      flushEndedMs: random.int(100, 1_000),
      flushBytesMax: random.pick([4_000, 20_000, 1_000_000]),
      bufferBytesMax: random.pick([6_000, 40_000, 3_000_000]),
      checkpointEveryFlushes: random.int(1, 6),
      checkpointEveryMs: random.int(1_000, 20_000),
      stopFlushMs: random.int(100, 5_000),
      sessionSilenceMs: silenceMs,
      windowGoodbyeMs: random.int(500, 5_000),
      lifecycleTickMs: random.int(200, 1_500),
      factsGatherMs: random.int(0, 300),
      mergeAfterMs: random.int(0, 5_000),
      mergeAgeMs: random.int(0, 15_000),
      mergeBytesMin: random.pick([500, 5_000, 1_000_000]),
      mergeBytesMax: random.pick([500, 5_000, 1_000_000]),
      mergeSessionBytesMax: random.pick([500, 5_000, 1_000_000]),
      mergeTickMs: random.int(200, 3_000),
      sweepEveryMs: random.int(500, 6_000),
      sweepGraceMs: random.int(500, 20_000),
      retryFirstMs: 50,
      retryMaxMs: random.int(200, 3_000),
      holeWaitMs: 2 * slowMaxMs + random.int(100, 1_000),
    },
    gateway: {
      viewerBufferBytesMax: random.pick([4_000, 40_000, 4_000_000]),
      windowBytesMax: random.pick([3_000, 20_000, 1_000_000]),
      windowLingerMs: random.int(0, 5_000),
      endGraceMs: 2 * slowMaxMs + random.int(200, 2_000),
      directorySessionsMax: random.pick([1, 20_000]),
      // Silence tells of a hole only when it is longer than anything that is on its way.
      directoryWaitMs: 2 * slowMaxMs + random.int(200, 2_000),
      messageBytesMax: random.pick([500, 100_000]),
      retryMs: random.int(20, 200),
    },
    calmAtMs: activeMs + 15_000,
  };
}

function swarmOf(random: Random): Swarm {
  const on = (): boolean => random.chance(0.4);
  return {
    kill: on(),
    stop: on(),
    freeze: on(),
    'clock jump': on(),
    rebalance: on(),
    'log crash': on(),
    trim: random.chance(0.25),
    'log away': on(),
    'blocks away': on(),
    'catalog away': on(),
    slow: on(),
    errors: on(),
    death: on(),
    'lost connection': on(),
    skew: on(),
    lag: on(),
  };
}

function planSession(random: Random, activeMs: number): PlannedSession {
  const beginsAtMs = random.int(0, Math.floor(activeMs / 3));
  const sessionId = uuidv7(START_MS + beginsAtMs, random.bytes(10));
  const windows = Array.from({ length: random.int(1, 2) }, (_, i) => planWindow(random, sessionId, `w${i}`, beginsAtMs, activeMs));
  return { sessionId, windows, toldEndAtMs: random.chance(0.2) ? random.int(beginsAtMs + 1_000, activeMs) : null };
}

function planWindow(random: Random, sessionId: string, windowId: string, beginsAtMs: number, activeMs: number): PlannedWindow {
  const hasCounter = random.chance(0.7);
  const repeats = random.chance(0.5);
  const count = random.int(1, 12);
  const saysGoodbye = random.chance(0.5);
  const uploads: PlannedUpload[] = [];
  // Parts of a large keyframe that go with the next upload.
  const rest: Frame[] = [];
  let atMs = beginsAtMs + random.int(0, 3_000);
  for (let i = 0; i < count && atMs < activeMs; i++) {
    const goodbye = saysGoodbye && i === count - 1;
    const upload = planUpload(random, { sessionId, windowId, counter: hasCounter ? i : null, goodbye }, START_MS + atMs, i, rest);
    const copies = repeats ? random.int(0, 4) : 0;
    uploads.push({ atMs, upload, copiesAfterMs: Array.from({ length: copies }, () => random.int(0, 20_000)) });
    atMs += random.chance(0.1) ? random.int(5_000, 20_000) : random.int(50, 4_000);
  }
  return { uploads, closesAtMs: random.chance(0.8) ? Number.POSITIVE_INFINITY : random.int(beginsAtMs, activeMs) };
}

type UploadName = Pick<Upload, 'sessionId' | 'windowId' | 'counter' | 'goodbye'>;

function planUpload(random: Random, name: UploadName, atMs: number, i: number, rest: Frame[]): Upload {
  const frames: Frame[] = rest.splice(0);
  if (i === 0 || random.chance(0.15)) {
    const keyframe = aDomKeyframe(atMs, `page ${i}`);
    rest.push(...(random.chance(0.3) ? splitFrame(keyframe, random.int(60, 400)) : [keyframe]));
    frames.push(...rest.splice(0, random.int(1, rest.length)));
  }
  const more = random.int(0, 5);
  for (let n = 1; n <= more; n++) {
    const text = `${i}.${n} ${'x'.repeat(random.chance(0.1) ? random.int(500, 3_000) : random.int(0, 60))}`;
    frames.push(rest.length > 0 || random.chance(0.3) ? aSignalFrame(atMs + n, { text }) : aDomChange(atMs + n, text));
  }
  return {
    projectId: PROJECT,
    ...name,
    uploadId: `u${i}`,
    track: null,
    format: 'frames',
    sentAtMs: atMs,
    receivedAtMs: 0,
    epochMs: 0,
    facts: { url: `https://shop.example/${i % 3}` },
    ...bodyOf(random, frames, atMs, i),
  };
}

/** Plain or damaged, or, of every other upload, gzipped and with its outline, as our recorder and ingest have it. */
function bodyOf(random: Random, frames: readonly Frame[], atMs: number, i: number): Pick<Upload, 'codec' | 'body' | 'outline'> {
  const sound = encodeFrames(frames);
  const body = damaged(random, sound, atMs);
  if (i % 2 === 0 || body !== sound) return { codec: 'identity', body, outline: new Uint8Array() };
  const zipped = { codec: 'gzip', body: new Uint8Array(gzipSync(body)) } as const;
  return { ...zipped, outline: outlineOf({ format: 'frames', ...zipped }, frames, null) };
}

/** Most bodies are sound. What ingest would refuse is in the log all the same: other doors, older versions. */
function damaged(random: Random, body: Uint8Array, atMs: number): Uint8Array {
  switch (random.pick(DAMAGE)) {
    case 'truncated':
      return body.slice(0, random.int(0, body.length));
    case 'garbage':
      return new TextEncoder().encode(`no frames ${random.int(0, 9)}`);
    case 'odd signal':
      return encodeFrames([{ track: 'signal', keyframe: false, timestampMs: atMs, payload: new TextEncoder().encode('{"kind":"quux"}') }]);
    case 'empty':
      return encodeFrames([]);
    case 'none':
      return body;
    default:
      throw new Error('no such damage');
  }
}

function planViewer(random: Random, sessionId: string, activeMs: number): PlannedViewer {
  const joinsAtMs = random.int(500, activeMs);
  return {
    sessionId,
    joinsAtMs,
    join: random.chance(0.7) ? 'start' : 'keyframe',
    bytesPerMs: random.pick([0.5, 5, 1_000]),
    cutsAtMs: Array.from({ length: random.int(0, 3) }, () => joinsAtMs + random.int(1, activeMs)),
  };
}

function planTroubles(random: Random, swarm: Swarm, activeMs: number): readonly Trouble[] {
  const troubles: Trouble[] = [];
  const some = (kind: Trouble['kind'], most: number, make: (atMs: number) => Trouble): void => {
    if (!swarm[kind]) return;
    for (let n = random.int(1, most); n > 0; n--) troubles.push(make(random.int(500, activeMs + 8_000)));
  };
  const role = (): Role => random.pick(ROLES);
  some('kill', 6, (atMs) => ({ kind: 'kill', atMs, role: role(), awayMs: random.int(0, 6_000) }));
  some('stop', 3, (atMs) => ({ kind: 'stop', atMs, role: role(), awayMs: random.int(0, 3_000) }));
  some('freeze', 4, (atMs) => ({ kind: 'freeze', atMs, role: role(), ms: random.int(200, 15_000) }));
  some('clock jump', 4, (atMs) => ({ kind: 'clock jump', atMs, role: role(), ms: random.int(-30_000, 30_000) }));
  some('rebalance', 6, (atMs) => ({ kind: 'rebalance', atMs }));
  some('log crash', 3, (atMs) => ({ kind: 'log crash', atMs }));
  some('trim', 3, (atMs) => ({ kind: 'trim', atMs, keptMs: random.int(0, 20_000) }));
  some('log away', 2, (atMs) => ({ kind: 'log away', atMs, ms: random.int(500, 10_000) }));
  some('blocks away', 2, (atMs) => ({ kind: 'blocks away', atMs, ms: random.int(500, 20_000) }));
  some('catalog away', 2, (atMs) => ({ kind: 'catalog away', atMs, ms: random.int(500, 20_000) }));
  return troubles.toSorted((a, b) => a.atMs - b.atMs);
}
