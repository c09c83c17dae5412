import { noCompose, openCompose } from '../src/compose.ts';
import { mainJob } from '../src/main-job.ts';

mainJob('after docker compose up --wait', { open: openCompose, openMsMax: 300_000, left: noCompose });
