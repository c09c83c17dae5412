import type { PositionedFrame } from '@playhead/schemas';
import type { DomEvent } from '../core/rrweb-frame.ts';
import { readDomPayload } from '../core/rrweb-frame.ts';
import { DomStage } from '../stages/dom-stage.ts';
import type { Picture, PictureSource } from '../stages/image-stage.ts';
import { ImageStage } from '../stages/image-stage.ts';
import type { Displayed, Stage } from '../stages/stage.ts';

/** The windows of a session: one stage each, one of them on the screen. */
export class Stages {
  readonly #host: HTMLElement;
  readonly #source: PictureSource;
  readonly #stages = new Map<string, Stage>();
  #active: Stage | null = null;
  #pinned: string | null = null;
  /** Waits for the first window that shows pages. */
  #spare: DomStage | null = null;

  constructor(host: HTMLElement, source: PictureSource) {
    this.#host = host;
    this.#source = source;
  }

  /** Makes a stage for pages while the first frame is on its way: to make one takes a while. */
  prepare(): void {
    if (this.#spare !== null || this.#stages.size > 0) return;
    this.#spare = new DomStage((cause) => this.#source.onFault(cause));
    this.#host.append(this.#spare.element);
    this.#spare.prepare();
  }

  /** Windows in order of appearance. */
  get windowIds(): readonly string[] {
    return [...this.#stages.keys()];
  }

  get activeId(): string | null {
    return this.#active?.windowId ?? null;
  }

  get active(): Stage | null {
    return this.#active;
  }

  /** The window that the viewer chose; null when it follows the visitor. */
  get pinned(): string | null {
    return this.#pinned;
  }

  pin(windowId: string | null): void {
    this.#pinned = windowId;
  }

  /** The replayed document of a window, of the active one by default; null where there is none. */
  contentDocument(windowId?: string): Document | null {
    const stage = windowId === undefined ? this.#active : this.#stages.get(windowId);
    return stage instanceof DomStage ? stage.contentDocument : null;
  }

  /** The picture stage that is on the screen; null when pages are shown. */
  get pictures(): ImageStage | null {
    return this.#active instanceof ImageStage ? this.#active : null;
  }

  /** Takes a frame of a page. The events it holds; undefined when it cannot be read. */
  addDom(frame: PositionedFrame): readonly DomEvent[] | undefined {
    const events = readDomPayload(frame.payload, frame.timestampMs);
    if (!events) return undefined;
    const stage = this.#stages.get(frame.windowId) ?? this.#openPages(frame.windowId);
    if (stage instanceof DomStage) stage.add(frame, events);
    return events;
  }

  /** Takes a picture. False when it is known already, or the window shows pages. */
  addPicture(windowId: string, picture: Picture): boolean {
    const stage = this.#stages.get(windowId) ?? this.#openPictures(windowId);
    return stage instanceof ImageStage && stage.add(picture);
  }

  /** @param latest the window in which the visitor was last active */
  show(timeMs: number, latest: string | undefined, moving: boolean): void {
    const stage = this.#stages.get(this.#pinned ?? latest ?? '') ?? this.#active ?? this.#stages.values().next().value;
    if (!stage) return;
    if (stage !== this.#active) {
      this.#active?.setActive(false);
      stage.setActive(true);
      this.#active = stage;
    }
    stage.show(timeMs, moving);
  }

  displayed(): Displayed | null {
    return this.#active?.displayed() ?? null;
  }

  destroy(): void {
    this.#spare?.destroy();
    this.#spare = null;
    for (const stage of this.#stages.values()) stage.destroy();
    this.#stages.clear();
    this.#active = null;
  }

  #openPages(windowId: string): Stage {
    const stage = this.#spare ?? new DomStage((cause) => this.#source.onFault(cause));
    this.#spare = null;
    stage.windowId = windowId;
    return this.#open(stage);
  }

  #openPictures(windowId: string): Stage {
    this.#spare?.destroy();
    this.#spare = null;
    return this.#open(new ImageStage(windowId, this.#source));
  }

  #open(stage: Stage): Stage {
    this.#stages.set(stage.windowId, stage);
    if (!stage.element.isConnected) this.#host.append(stage.element);
    return stage;
  }
}
