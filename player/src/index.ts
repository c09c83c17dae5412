export { PlayheadPlayer } from './player/playhead-player.ts';
export type { ReplayView } from './player/replay.ts';
