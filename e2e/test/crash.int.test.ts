import { noContainers } from '@playhead/containers';
import { crashTest } from '../src/crash/crash-test.ts';

crashTest('a cluster of two of each role', { on: 'cluster', openMsMax: 240_000, left: noContainers });
