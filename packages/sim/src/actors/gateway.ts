import { GatewayParts } from '@playhead/live-gateway';
import type { BlockStore, Catalog, EventLog } from '@playhead/ports';
import type { CloseReason } from '@playhead/schemas';
import { CLOSE_CODES, parsePosition } from '@playhead/schemas';
import { silentLogger } from '@playhead/testkit';
import { PROJECT } from '../plan.ts';
import type { Connection } from '../world/connection.ts';
import type { SimProcess } from '../world/process.ts';
import type { World } from '../world/world.ts';

export interface GatewayPorts {
  readonly log: EventLog;
  readonly blocks: BlockStore;
  readonly catalog: Catalog;
}

/** A gateway process without HTTP. */
export class Gateway {
  readonly process: SimProcess;
  readonly #parts: GatewayParts;

  constructor(world: World, process: SimProcess, ports: GatewayPorts) {
    this.process = process;
    const random = world.random.fork();
    this.#parts = new GatewayParts({
      ...ports,
      clock: process.clock,
      projects: { projectOfWriteKey: () => undefined, viewerOfToken: () => undefined },
      randomBytes: (count) => random.bytes(count),
      logger: silentLogger,
      settings: world.plan.gateway,
    });
    this.#parts.start();
  }

  /** A connection arrives. */
  accept(connection: Connection, sessionId: string, from: string): void {
    const after = parsePosition(from);
    const join = from === 'start' || from === 'keyframe' ? from : after && { after };
    const refuse = (reason: CloseReason): void => connection.gatewayEnd.close(CLOSE_CODES[reason], reason);
    if (join === undefined) return refuse('invalid_request');
    const person = { projectId: PROJECT, viewer: 'Ada' };
    this.#parts.admit(person, sessionId, join, connection.gatewayEnd, connection.gone).catch(() => refuse('internal'));
  }

  async stop(): Promise<void> {
    this.#parts.dismiss();
    await this.#parts.close();
  }
}
