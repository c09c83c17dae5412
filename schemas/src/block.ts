import type { PositionedFrame } from './frame.ts';
import type { BlockIndex } from './formats/frame-index.ts';
