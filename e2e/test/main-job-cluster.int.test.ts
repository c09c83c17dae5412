import { noContainers } from '@playhead/containers';
import { openCluster } from '../src/cluster.ts';
import { mainJob } from '../src/main-job.ts';

// The partitions of processors that were killed are taken over after 10 s, and the next flush is made 10 s later.
mainJob('in a cluster of two of each role', { open: openCluster, openMsMax: 240_000, waitMsMax: 30_000, left: noContainers });
