import { noContainers } from '@playhead/containers';
import { openCluster } from '../src/cluster.ts';
import { mainJob } from '../src/main-job.ts';

mainJob('in a cluster of two of each role', { open: openCluster, openMsMax: 240_000, left: noContainers });
