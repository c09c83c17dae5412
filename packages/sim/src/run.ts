import { startProcessors } from '@playhead/processors';
import { rawBytesOf, TOPICS } from '@playhead/schemas';
import { memoryBlocks, memoryCatalog, memoryLog, silentLogger } from '@playhead/testkit';
import { compressPiece } from '@playhead/uploads';
import { Gateway } from './actors/gateway.ts';
import { Ingest } from './actors/ingest.ts';
import { Recorders } from './actors/recorder.ts';
import { probe, Viewer } from './actors/viewer.ts';
import type { Expected, LogContent } from './oracle.ts';
import {
  checkAcknowledged,
  checkBlocks,
  checkCatalog,
  checkGaps,
  checkViewer,
  expectedOf,
  hasMergeable,
  isCaughtUp,
  readLog,
} from './oracle.ts';
import type { Plan, PlannedViewer, Role, Trouble } from './plan.ts';
import { planRun, START_MS } from './plan.ts';
import { Random } from './random.ts';
import { Groups } from './world/groups.ts';
import { SimProcess } from './world/process.ts';
import { SimLog } from './world/sim-log.ts';
import { blocksOf, CatalogServers, catalogOf } from './world/sim-stores.ts';
import { VirtualTime } from './world/virtual-time.ts';
import type { Fate, Store, World } from './world/world.ts';

/** How long, in virtual time, a run may take from its last trouble until nothing is left to do. */
const SETTLE_WITHIN_MS = 240_000;
/** Late doubles show within this. */
const AFTERWARDS_MS = 10_000;
const LOOK_EVERY_MS = 2_000;

/** What a process asks of its ports at one time, at most: more would be a queue that nobody bounds. */
const ASKING_MAX = 200;
/** Timers and messages of a whole run that wait at one time, at most. */
const EVENTS_WAITING_MAX = 2_000;

export interface RunStats {
  readonly sent: number;
  readonly acknowledged: number;
  readonly uploadsInLog: number;
  readonly duplicatesInLog: number;
  readonly flushes: number;
  readonly invalidFlushes: number;
  readonly merges: number;
  readonly invalidMerges: number;
  /** Objects that were swept: of flushes that were merged, and of those that lost. */
  readonly sweptObjects: number;
  /** Trimmed ranges that were recorded as lost. */
  readonly gaps: number;
  readonly deaths: number;
  readonly viewerConnections: number;
  readonly framesSeen: number;
  readonly virtualMs: number;
}

export interface RunResult {
  readonly seed: number;
  /** Empty when every promise held. */
  readonly problems: readonly string[];
  readonly stats: RunStats;
}

/** A place for a process of a role: when one is gone the next takes it. */
interface Slot {
  readonly role: Role;
  readonly number: number;
  generation: number;
  actor: { readonly process: SimProcess; stop(): Promise<void> } | null;
}

/**
 * One run: the real drivers of all roles in simulated processes, troubled as the seed says until all is calm, and then judged.
 *
 * @param seed a whole number of 32 bits; the same seed is the same run, event by event
 * @param onTrace is given a line for everything that happens
 */
export async function runSimulation(seed: number, onTrace?: (line: string) => void): Promise<RunResult> {
  return new Simulation(seed, onTrace).run();
}

class Simulation implements World {
  readonly plan: Plan;
  readonly time = new VirtualTime(START_MS);
  readonly random: Random;
  readonly #seed: number;
  readonly #onTrace: ((line: string) => void) | undefined;
  readonly #fates: Random;
  readonly #log: SimLog;
  readonly #blocks = memoryBlocks();
  readonly #catalogs: CatalogServers;
  readonly #groups: Groups;
  readonly #slots: Slot[] = [];
  readonly #recorders: Recorders[] = [];
  readonly #viewers: Viewer[] = [];
  readonly #problems: string[] = [];
  readonly #awayUntilMs: Record<Store, number> = { log: 0, blocks: 0, catalog: 0 };
  /** Uploads that the log held when it was trimmed, by partition. */
  #trimmed: LogContent['uploads'] = [];
  #trims: Promise<void> = Promise.resolve();
  #deaths = 0;
  #swept = 0;
  #eventsMost = 0;
  #isCalm = false;

  constructor(seed: number, onTrace: ((line: string) => void) | undefined) {
    this.#seed = seed;
    this.#onTrace = onTrace;
    const random = new Random(seed);
    this.plan = planRun(random.fork());
    this.#fates = random.fork();
    this.random = random;
    const { partitions, holeEvery } = this.plan;
    this.#groups = new Groups(this, partitions);
    const log = memoryLog({ partitions, holeEvery, now: () => this.time.nowMs, setTimer: (ms, run) => this.time.after(ms, run) });
    this.#log = new SimLog(this, log, this.#groups);
    this.#catalogs = new CatalogServers(this, memoryCatalog(), memoryCatalog());
  }

  sinceStartMs(): number {
    return this.time.nowMs - START_MS;
  }

  isTroubled(): boolean {
    return !this.#isCalm;
  }

  isAway = (store: Store): boolean => this.#awayUntilMs[store] > this.time.nowMs;

  trace = (line: () => string): void => this.#onTrace?.(`${this.sinceStartMs()} ${line()}`);

  fate = (store: Store, isWrite: boolean): Fate => {
    const random = this.#fates;
    const quick = (): number => random.int(0, 4);
    if (this.#isCalm) return { thereMs: quick(), backMs: quick(), error: 'none' };
    const { slow, errorBefore, errorAfter, death } = this.plan.chances;
    const delay = (): number => (random.chance(slow) ? random.int(0, this.plan.slowMaxMs) : quick());
    const roll = random.unit();
    let error: Fate['error'] = 'none';
    if (roll < errorBefore) error = 'before';
    else if (isWrite && roll < errorBefore + errorAfter) error = 'after';
    else if (isWrite && store !== 'catalog' && roll > 1 - death) error = random.chance(0.5) ? 'death-before' : 'death-after';
    return { thereMs: delay(), backMs: delay(), error };
  };

  async run(): Promise<RunResult> {
    const { plan } = this;
    for (const role of ['ingest', 'processors', 'live-gateway'] as const) {
      for (let number = 0; number < plan.processes[role]; number++) {
        const slot: Slot = { role, number, generation: 0, actor: null };
        this.#slots.push(slot);
        this.#start(slot);
      }
    }
    for (const session of plan.sessions)
      this.#recorders.push(new Recorders(this, session, () => this.#any('ingest') as Ingest | undefined));
    for (const trouble of plan.troubles) this.time.after(trouble.atMs, () => this.#trouble(trouble));
    for (const [i, planned] of plan.viewers.entries()) this.time.after(planned.joinsAtMs, () => void this.#join(`viewer-${i}`, planned));
    for (const [i, one] of plan.probes.entries()) this.time.after(one.joinsAtMs, () => void this.#probe(`probe-${i}`, one));
    await this.#pass(plan.calmAtMs);
    this.#calmDown();
    const content = await this.#settle();
    if (content !== null) await this.#judge(content);
    const stats = await this.#stats();
    for (const viewer of this.#viewers) viewer.close();
    for (const { actor } of this.#slots) actor?.process.kill();
    return { seed: this.#seed, problems: this.#problems, stats };
  }

  #readLog(): Promise<LogContent> {
    return readLog(this.#log.inner, this.#trimmed);
  }

  /** One after the other: each keeps what the one before has kept. */
  #trim(keptMs: number): void {
    this.#trims = this.#trims.then(() => this.#trimNow(keptMs));
  }

  async #trimNow(keptMs: number): Promise<void> {
    this.#trimmed = (await this.#readLog()).uploads;
    await this.#log.inner.trim(this.time.nowMs + (TOPICS['playhead.uploads'].retentionMs ?? 0) - keptMs);
  }

  async #pass(untilMs: number, until: () => boolean = () => false): Promise<boolean> {
    return this.time.pass(() => {
      this.#eventsMost = Math.max(this.#eventsMost, this.time.waiting);
      return until();
    }, START_MS + untilMs);
  }

  #any(role: Role): Slot['actor'] | undefined {
    const up = this.#slots.filter((slot) => slot.role === role && slot.actor?.process.isAlive);
    return this.random.pick(up)?.actor ?? undefined;
  }

  #start(slot: Slot): void {
    const { plan, random } = this;
    const skewMs = random.int(-plan.clockSkewMaxMs, plan.clockSkewMaxMs);
    const process = new SimProcess(this, `${slot.role}-${slot.number}.${slot.generation++}`, skewMs);
    this.trace(() => `${process.name} starts`);
    const log = this.#log.of(process);
    process.death.addEventListener('abort', () => {
      this.#deaths++;
      this.#noteAsking(process);
      if (slot.actor?.process === process) this.#replace(slot, this.#isCalm ? 100 : random.int(50, 4_000));
    });
    if (slot.role === 'ingest') slot.actor = new Ingest(process, log);
    else {
      const blocks = blocksOf(this, this.#blocks, process, () => void this.#swept++);
      const catalog = catalogOf(this, this.#catalogs, process, slot.role === 'processors' ? 'first' : 'second');
      slot.actor =
        slot.role === 'live-gateway'
          ? new Gateway(this, process, { log, blocks, catalog })
          : this.#processors(process, { log, blocks, catalog });
    }
  }

  #processors(
    process: SimProcess,
    ports: Pick<Parameters<typeof startProcessors>[0], 'log' | 'blocks' | 'catalog'>,
  ): NonNullable<Slot['actor']> {
    const random = this.random.fork();
    const started = startProcessors({
      ...ports,
      clock: process.clock,
      logger: silentLogger,
      random: () => random.unit(),
      writer: process.name,
      settings: this.plan.processors,
      // On this thread: when another one answers is nothing that a seed decides.
      compress: async (piece) => compressPiece(rawBytesOf(piece)),
    });
    return { process, stop: async () => (await started).stop() };
  }

  #replace(slot: Slot, awayMs: number): void {
    slot.actor = null;
    this.time.after(awayMs, () => {
      if (slot.actor === null) this.#start(slot);
    });
  }

  #trouble(trouble: Trouble): void {
    this.trace(() => `trouble: ${JSON.stringify(trouble)}`);
    switch (trouble.kind) {
      case 'rebalance':
        return this.#groups.rebalance();
      case 'log crash':
        return void this.#log.crash();
      case 'trim':
        return this.#trim(trouble.keptMs);
      case 'log away':
        this.#awayUntilMs.log = this.time.nowMs + trouble.ms;
        return;
      case 'blocks away':
        this.#awayUntilMs.blocks = this.time.nowMs + trouble.ms;
        return;
      case 'catalog away':
        this.#awayUntilMs.catalog = this.time.nowMs + trouble.ms;
        return;
      case 'kill':
      case 'stop':
      case 'freeze':
      case 'clock jump':
        return this.#troubleProcess(trouble);
      default:
        return trouble satisfies never;
    }
  }

  #troubleProcess(trouble: Extract<Trouble, { role: Role }>): void {
    const { random } = this;
    const slot = random.pick(this.#slots.filter((one) => one.role === trouble.role && one.actor !== null));
    const actor = slot?.actor;
    if (slot === undefined || !actor) return;
    const { process } = actor;
    if (trouble.kind === 'clock jump') return process.jump(trouble.ms);
    if (trouble.kind === 'freeze') {
      process.freeze(trouble.ms);
      this.time.after(random.int(0, this.plan.groupPatienceMs), () => this.#groups.rebalance());
      return;
    }
    if (trouble.kind === 'kill') {
      slot.actor = null;
      process.kill();
      this.#replace(slot, trouble.awayMs);
      return;
    }
    // A stop as the operator does it: politely, and then not.
    slot.actor = null;
    let isOver = false;
    const over = (): void => {
      if (isOver) return;
      isOver = true;
      process.kill();
      this.#replace(slot, trouble.awayMs);
    };
    process.death.addEventListener('abort', over);
    process.post(() => void actor.stop().then(over, over));
    this.time.after(15_000, over);
  }

  async #join(name: string, planned: PlannedViewer): Promise<void> {
    const recorders = this.#recorders[this.plan.sessions.findIndex(({ sessionId }) => sessionId === planned.sessionId)];
    // Nobody can know of a session before an upload of it was acknowledged.
    while (recorders?.acknowledged.length === 0) {
      if (recorders.areDone) return;
      await this.time.sleep(200);
    }
    this.#viewers.push(
      new Viewer(
        this,
        name,
        planned,
        () => this.#any('live-gateway') as Gateway | undefined,
        (problem) => this.#problems.push(problem),
      ),
    );
  }

  async #probe(name: string, { sessionId, joinsAtMs, leavesAtMs, where }: Plan['probes'][number]): Promise<void> {
    const expected = await expectedOf(await this.#readLog(), [sessionId]);
    const frames = expected[0]?.frames ?? [];
    const frame = frames[Math.floor(where * frames.length)];
    const from = frame?.print.slice(0, frame.print.indexOf(' '));
    if (from === undefined) return;
    const anyGateway = (): Gateway | undefined => this.#any('live-gateway') as Gateway | undefined;
    probe(this, anyGateway, { sessionId, from, name }, leavesAtMs - joinsAtMs, (problem) => this.#problems.push(problem));
  }

  #calmDown(): void {
    this.trace(() => 'all is calm');
    this.#isCalm = true;
    for (const store of ['log', 'blocks', 'catalog'] as const) this.#awayUntilMs[store] = 0;
    this.#groups.rebalance();
  }

  /** Lets time pass until nothing is left to do and every viewer has it. */
  async #settle(): Promise<LogContent | null> {
    const limitMs = this.sinceStartMs() + SETTLE_WITHIN_MS;
    const sessionIds = this.plan.sessions.map(({ sessionId }) => sessionId);
    let missing = 'recorders are not done';
    while (this.sinceStartMs() < limitMs) {
      await this.#pass(this.sinceStartMs() + LOOK_EVERY_MS);
      if (!this.#recorders.every((one) => one.areDone)) continue;
      const content = await this.#readLog();
      missing = 'the chain or the catalog is behind the log';
      if (!(await isCaughtUp(content, [this.#catalogs.first, this.#catalogs.second]))) continue;
      missing = 'a session has no end';
      const expected = await expectedOf(content, sessionIds);
      const infos = await Promise.all(sessionIds.map((sessionId) => this.#catalogs.second.session('shop', sessionId)));
      if (infos.some((info) => info?.live)) continue;
      missing = 'a session is not merged';
      if (await hasMergeable(this.#catalogs.first, this.plan.partitions)) continue;
      missing = 'a viewer has not got everything';
      if (!this.#viewers.every((viewer) => hasAll(viewer, expected))) continue;
      await this.#pass(this.sinceStartMs() + AFTERWARDS_MS);
      return this.#readLog();
    }
    this.#problems.push(`not settled ${SETTLE_WITHIN_MS / 1000} s after the last trouble: ${missing}`);
    const content = await this.#readLog();
    const expected = await expectedOf(content, sessionIds);
    for (const viewer of this.#viewers) {
      if (!hasAll(viewer, expected))
        this.#problems.push(...checkViewer(viewer, expected[sessionIds.indexOf(viewer.planned.sessionId)] as never));
    }
    return null;
  }

  async #judge(content: LogContent): Promise<void> {
    const sessionIds = this.plan.sessions.map(({ sessionId }) => sessionId);
    const expected = await expectedOf(content, sessionIds);
    const late: Viewer[] = [];
    for (const { sessionId, uploads } of expected) {
      if (uploads === 0) continue;
      for (const join of ['start', 'keyframe'] as const) {
        const planned: PlannedViewer = { sessionId, joinsAtMs: this.sinceStartMs(), join, bytesPerMs: 1_000, cutsAtMs: [] };
        await this.#join(`late-${join}`, planned);
        late.push(...this.#viewers.slice(-1));
      }
    }
    await this.#pass(this.sinceStartMs() + 60_000, () => late.every((viewer) => hasAll(viewer, expected)));
    await this.#pass(this.sinceStartMs() + 2_000);
    const problem = (lines: readonly string[]): void => void this.#problems.push(...lines);
    problem(
      checkAcknowledged(
        content,
        this.#recorders.flatMap(({ acknowledged }) => acknowledged),
      ),
    );
    problem(checkGaps(content));
    problem(await checkBlocks(content, this.#blocks, expected));
    problem(await checkCatalog('catalog', this.#catalogs.first, content, this.#blocks, expected));
    problem(await checkCatalog('second catalog', this.#catalogs.second, content, this.#blocks, expected));
    for (const viewer of this.#viewers) {
      const one = expected.find(({ sessionId }) => sessionId === viewer.planned.sessionId);
      if (one) problem(checkViewer(viewer, one));
    }
    this.#checkBounds();
  }

  #noteAsking({ name, askingMost }: SimProcess): void {
    if (askingMost > ASKING_MAX) this.#problems.push(`${name} asked ${askingMost} things of its ports at once`);
  }

  #checkBounds(): void {
    for (const { actor } of this.#slots) if (actor) this.#noteAsking(actor.process);
    if (this.#eventsMost > EVENTS_WAITING_MAX) this.#problems.push(`${this.#eventsMost} events waited at once`);
    const { viewerBufferBytesMax = 0, messageBytesMax = 0 } = this.plan.gateway;
    // One more run of messages may be handed over when the bound is met: an upload at most.
    const bufferMax = viewerBufferBytesMax + 2 * messageBytesMax + 64 * 1024;
    for (const { name, bufferedMost } of this.#viewers) {
      if (bufferedMost > bufferMax) this.#problems.push(`${bufferedMost} bytes waited for ${name}, ${bufferMax} at most`);
    }
  }

  async #stats(): Promise<RunStats> {
    const content = await this.#readLog();
    const expected = await expectedOf(
      content,
      this.plan.sessions.map(({ sessionId }) => sessionId),
    );
    const total = (numbers: readonly number[]): number => numbers.reduce((sum, number) => sum + number, 0);
    return {
      sent: total(this.#recorders.map(({ sent }) => sent)),
      acknowledged: total(this.#recorders.map(({ acknowledged }) => acknowledged.length)),
      uploadsInLog: total(content.uploads.map((records) => records.length)),
      duplicatesInLog: total(expected.map(({ duplicates }) => duplicates)),
      flushes: total(content.flushes.map((flushes) => flushes.length)),
      invalidFlushes: content.invalidFlushes,
      merges: total(content.merges.map((merges) => merges.length)),
      invalidMerges: content.invalidMerges,
      sweptObjects: this.#swept,
      gaps: total(content.flushes.map((flushes) => flushes.filter(({ gap }) => gap !== null).length)),
      deaths: this.#deaths,
      viewerConnections: total(this.#viewers.map(({ connections }) => connections)),
      framesSeen: total(this.#viewers.map(({ frames }) => frames.length)),
      virtualMs: this.sinceStartMs(),
    };
  }
}

/** True when the viewer has the last frame of its session and heard its end. */
function hasAll(viewer: Viewer, all: readonly Expected[]): boolean {
  const expected = all.find(({ sessionId }) => sessionId === viewer.planned.sessionId);
  if (viewer.endsHeard === 0) return false;
  // What was told as missing may be the last of it.
  if (expected !== undefined && (expected.hasGaps || viewer.gaps.length > 0)) return checkViewer(viewer, expected).length === 0;
  const last = expected?.frames.at(-1);
  return last === undefined || viewer.frames.some(({ print }) => print === last.print);
}
