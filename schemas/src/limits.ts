import { FRAME_PARTS_MAX } from './frame.ts';

/** Every limit of the system, in one place. Units are in the names. Relations are asserted below, at load. */
export const LIMITS = {
  /** Partitions of the log. Kafka's practical bound for one topic on a small cluster. */
  partitionsMax: 1024,

  /** An upload's body as sent (compressed). Chunked recorders send 64 KB; a phone's picture bundle is 100 to 600 KB. */
  uploadBytesMax: 16 * 1024 * 1024,
  /** An upload's body after decompression. Beyond it is a bomb or a mistake: 413. */
  uploadInflatedBytesMax: 64 * 1024 * 1024,
  /** Frames in one upload. */
  uploadFramesMax: 100_000,
  /** One frame's payload; of a frame in parts, one part's. */
  frameBytesMax: 48 * 1024 * 1024,
  /** Our recorder cuts a payload into parts of this size: each is an upload of its own, so no server meets a large one. */
  framePartBytesMax: 1024 * 1024,
  /** The largest payload that is joined from parts. A larger frame is dropped by its recorder and shown as missing. */
  joinedFrameBytesMax: 64 * 1024 * 1024,
  /** Parts that one player holds at a time, of all windows together, while their frames are not whole. */
  joiningBytesMax: 128 * 1024 * 1024,
  /** Bytes of uploads that one ingest process holds at a time, waiting for the log. Beyond it: 503. */
  ingestInFlightBytesMax: 128 * 1024 * 1024,

  /** Oldest plausible recorder time: 2000-01-01. Earlier is a timestamp in seconds, or garbage. Unix ms. */
  timestampMinMs: 946_684_800_000,
  /** How far ahead of the server's clock a recorder's clock may be. */
  timestampAheadMaxMs: 24 * 60 * 60 * 1000,
  /** Longest session; the bound of a picture's offset from its session's epoch. */
  sessionDurationMaxMs: 24 * 60 * 60 * 1000,
  /** For how long after the last upload of a session its duplicates are recognised; the longest a recorder may keep an upload and send it. */
  dedupeHorizonMs: 4 * 24 * 60 * 60 * 1000,

  /** A session ends after this silence of its last window. */
  sessionSilenceMs: 60_000,
  /** A window that said goodbye and stayed silent for this long is gone (a navigation takes its place sooner). */
  windowGoodbyeMs: 5_000,

  /** A flush is made at this age of its oldest upload ... */
  flushAgeMs: 10_000,
  /** ... or at these inflated bytes, whichever first. */
  flushBytesMax: 100 * 1024 * 1024,
  /** Stored bytes that one session brings to a merged object, or one larger block: an hour with a picture a second has 144 MB. Held while it is merged. */
  mergedSessionBytesMax: 192 * 1024 * 1024,
  /** What the pieces of one block inflate to: the largest flush that can be set (1 GiB), and the upload that passes it. */
  blockInflatedBytesMax: (1024 + 64) * 1024 * 1024,

  /** A batch of the browser recorder leaves at this size (before compression) ... */
  recorderBatchBytesMax: 64 * 1024,
  /** ... or this age. */
  recorderFlushMs: 5_000,
  /** The same for a watched session. */
  recorderWatchedFlushMs: 250,
  /** A quiet recorder shows that it is there. */
  recorderHeartbeatMs: 15_000,
  /** What waits in a recorder that cannot send. */
  recorderBufferBytesMax: 8 * 1024 * 1024,

  /** A watch lease holds this long; the gateway renews it three times as often. */
  watchLeaseMs: 15_000,
  /** A recorder's request for word of a watch is held this long: proxies cut what is silent for 30 s and more. */
  watchPollMs: 25_000,
  /** Such requests held by one ingest process at a time. Beyond it: 503, and those recorders hear of a watch with their next upload. */
  watchPollsMax: 20_000,
  /** Bytes of recent uploads that a gateway keeps for one watched partition, shared by its viewers. */
  windowBytesMax: 64 * 1024 * 1024,
  /** Bytes waiting in one viewer's socket. Beyond it the viewer lags and catches up. */
  viewerBufferBytesMax: 4 * 1024 * 1024,
  /** A viewer hears at least this often that its connection lives. */
  viewerHeartbeatMs: 1_000,
  /** Viewers of one gateway process. */
  viewersMax: 10_000,

  /** Keys of objects in one question to a catalog: with eighty bytes each they fit into the address of a request, of which servers and proxies take 8 to 16 KB. */
  objectsAskedMax: 100,

  /** Characters of a text in a signal or a fact. */
  signalTextCharsMax: 1_000,
  factCharsMax: 2_000,
  factsMax: 64,
  /** What is kept of a rejected body. */
  rejectedBodyBytesMax: 64 * 1024,
  /** Distinct pages kept in a session's summary of one flush. */
  pagesMax: 100,
  /** Windows of one session. */
  windowsMax: 1_000,
} as const;

function assertRelation(holds: boolean, relation: string): void {
  if (!holds) throw new Error(`limits contradict each other: ${relation}`);
}

assertRelation(LIMITS.uploadBytesMax < LIMITS.uploadInflatedBytesMax, 'uploadBytesMax < uploadInflatedBytesMax');
assertRelation(LIMITS.frameBytesMax < LIMITS.uploadInflatedBytesMax, 'frameBytesMax < uploadInflatedBytesMax');
assertRelation(LIMITS.framePartBytesMax * FRAME_PARTS_MAX >= LIMITS.joinedFrameBytesMax, 'the largest joined frame has enough parts');
assertRelation(LIMITS.frameBytesMax <= LIMITS.joinedFrameBytesMax, 'what travels whole could travel in parts');
assertRelation(LIMITS.joinedFrameBytesMax <= LIMITS.joiningBytesMax, 'the largest joined frame can be joined');
assertRelation(LIMITS.framePartBytesMax * 2 <= LIMITS.uploadBytesMax, 'a part fits an upload, compressed or not');
assertRelation(LIMITS.framePartBytesMax * 2 <= LIMITS.viewerBufferBytesMax, 'a part alone does not make a viewer lag');
assertRelation(LIMITS.uploadInflatedBytesMax < LIMITS.flushBytesMax, 'uploadInflatedBytesMax < flushBytesMax');
assertRelation(LIMITS.flushBytesMax + LIMITS.uploadInflatedBytesMax <= LIMITS.blockInflatedBytesMax, 'a flush of one session fits a block');
assertRelation(LIMITS.flushBytesMax + LIMITS.uploadInflatedBytesMax <= LIMITS.mergedSessionBytesMax, 'the block of a flush fits a merge');
assertRelation(LIMITS.uploadBytesMax * 2 <= LIMITS.ingestInFlightBytesMax, 'two uploads fit in flight');
assertRelation(LIMITS.recorderHeartbeatMs * 3 < LIMITS.sessionSilenceMs, 'two lost heartbeats do not end a session');
assertRelation(LIMITS.recorderFlushMs < LIMITS.windowGoodbyeMs * 2, 'a window is not gone before its next batch can come');
assertRelation(LIMITS.recorderBatchBytesMax < LIMITS.recorderBufferBytesMax, 'a batch fits the buffer');
assertRelation(LIMITS.recorderBatchBytesMax < LIMITS.framePartBytesMax, 'only what is larger than a batch is cut');
assertRelation(LIMITS.watchLeaseMs > 2 * LIMITS.recorderFlushMs, 'a lease outlives a slow recorder interval');
