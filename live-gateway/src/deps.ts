import type { BlockStore, Catalog, Clock, EventLog, Logger, Projects } from '@playhead/ports';
import type { readUploadAsync } from '@playhead/uploads';
import type { LiveGatewaySettings } from './settings.ts';

/** Everything that the gateway needs of the outside. */
export interface LiveGatewayDeps {
  readonly log: EventLog;
  readonly blocks: BlockStore;
  readonly catalog: Catalog;
  readonly projects: Projects;
  readonly clock: Clock;
  readonly randomBytes: (count: number) => Uint8Array;
  readonly logger: Logger;
  readonly settings?: Partial<LiveGatewaySettings>;
  /** Default: `readUploadAsync` of uploads. */
  readonly readUpload?: typeof readUploadAsync | undefined;
}

/** The same, with every setting known. */
export interface Gateway extends LiveGatewayDeps {
  readonly settings: LiveGatewaySettings;
}
