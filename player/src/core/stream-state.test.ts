import { describe, expect, test } from 'vitest';
import type { Playback, StreamInput, StreamName, StreamState } from './stream-state.ts';
import { CONNECTING, SHOWN, STREAM, shownState, stepStream } from './stream-state.ts';
import type { StateFacts } from './words.ts';
import { stateText } from './words.ts';

const through = (...inputs: StreamInput[]): StreamState => inputs.reduce(stepStream, CONNECTING);
const facts: StateFacts = { lagMs: null, behindMs: 0, rate: 1, quietMs: 0, endReason: null, gapReason: null, refusal: null };

describe('the stream', () => {
  test('goes from connecting over history to the live edge', () => {
    expect(through('welcome').name).toBe('replaying');
    expect(through('welcome', 'replaying', 'frames', 'catching-up', 'frames', 'live', 'frames').name).toBe('live');
  });

  test('is idle while nothing happens, and live again with the next frame', () => {
    expect(through('welcome', 'live', 'quiet').name).toBe('idle');
    expect(through('welcome', 'live', 'quiet', 'frames').name).toBe('live');
  });

  test('catches up after a lost connection', () => {
    expect(through('welcome', 'live', 'dropped', 'dropped').name).toBe('reconnecting');
    expect(through('welcome', 'live', 'dropped', 'welcome', 'catching-up', 'live').name).toBe('live');
  });

  test('returns from a gap to what was before it', () => {
    expect(through('welcome', 'live', 'gap').name).toBe('gap');
    expect(through('welcome', 'live', 'gap', 'gap', 'frames').name).toBe('live');
    expect(through('welcome', 'replaying', 'gap', 'frames').name).toBe('replaying');
    expect(through('gap', 'frames').name).toBe('replaying');
    expect(through('welcome', 'ended', 'gap', 'frames').name).toBe('ended');
  });

  test('what is over stays over, also without a connection', () => {
    for (const input of ['welcome', 'live', 'frames', 'dropped', 'refused', 'quiet'] as const)
      expect(through('welcome', 'ended', input).name).toBe('ended');
  });

  test('what is deleted never comes back', () => {
    for (const input of Object.keys(STREAM.deleted) as StreamInput[])
      expect(through('welcome', 'live', 'deleted', input).name).toBe('deleted');
  });

  test('a gap always has something under it that is no gap', () => {
    for (const name of Object.keys(STREAM) as StreamName[]) {
      if (name === 'gap') continue;
      const state = stepStream({ name, under: name }, 'gap');
      expect(state.under).not.toBe('gap');
    }
  });
});

describe('what a viewer is told', () => {
  test('has words in every state', () => {
    for (const row of Object.values(SHOWN)) for (const state of Object.values(row)) expect(stateText(state, facts)).not.toBe('');
  });

  test('paused is told only while it is the viewer who stands still', () => {
    const told = (name: Exclude<StreamName, 'gap'>, playback: Playback): string => shownState({ name, under: name }, playback);
    expect(told('live', 'paused')).toBe('paused');
    expect(told('reconnecting', 'paused')).toBe('reconnecting');
    expect(told('ended', 'paused')).toBe('ended');
    expect(told('live', 'playing')).toBe('replaying');
    expect(told('live', 'hurrying')).toBe('catching-up');
  });

  test('the line names the lag, the distance, the pace and the reason', () => {
    expect(stateText('live', { ...facts, lagMs: 412 })).toBe('Live · 0.4 s');
    expect(stateText('paused', { ...facts, behindMs: 12_400 })).toBe('Paused · 12 s behind');
    expect(stateText('catching-up', { ...facts, rate: 2.5 })).toBe('Catching up 2.5×');
    expect(stateText('ended', { ...facts, endReason: 'silence' })).toBe('Ended · went silent');
    expect(stateText('gap', { ...facts, gapReason: 'trimmed' })).toBe('Gap · too old, no longer kept');
    expect(stateText('refused', { ...facts, refusal: 'unauthorized' })).toBe('Not signed in');
  });
});
