import type { Partition } from '@playhead/schemas';
import type { Gateway } from '../deps.ts';
import type { WindowView } from './partition-window.ts';
import { PartitionWindow } from './partition-window.ts';

/** The windows of the watched partitions: made with the first viewer, ended some seconds after the last has left. */
export class Windows {
  readonly #gateway: Gateway;
  readonly #windows = new Map<Partition, { readonly window: PartitionWindow; views: number; cancelStop: () => void }>();
  #closed = false;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  /** Partitions that are tailed now. */
  get partitions(): readonly Partition[] {
    return [...this.#windows.keys()];
  }

  open(partition: Partition, projectId: string, sessionId: string): WindowView {
    const { log, clock, logger, settings, readUpload } = this.#gateway;
    let entry = this.#windows.get(partition);
    if (entry === undefined) {
      entry = { window: new PartitionWindow(partition, log, clock, logger, { ...settings, readUpload }), views: 0, cancelStop: () => {} };
      if (!this.#closed) this.#windows.set(partition, entry);
    }
    const opened = entry;
    opened.cancelStop();
    opened.views++;
    const view = opened.window.open(projectId, sessionId);
    let open = true;
    return {
      ...view,
      close: () => {
        if (!open) return;
        open = false;
        view.close();
        opened.views--;
        if (opened.views === 0) opened.cancelStop = clock.setTimer(settings.windowLingerMs, () => this.#end(partition));
      },
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    const entries = [...this.#windows.values()];
    this.#windows.clear();
    for (const entry of entries) entry.cancelStop();
    await Promise.all(entries.map((entry) => entry.window.close()));
  }

  #end(partition: Partition): void {
    const entry = this.#windows.get(partition);
    if (entry === undefined || entry.views > 0) return;
    this.#windows.delete(partition);
    // Nobody waits for it: the tail ends by itself once its read has seen the abort.
    void entry.window.close();
  }
}
