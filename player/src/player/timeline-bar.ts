import type { PropertyValues, TemplateResult } from 'lit';
import { css, html, LitElement, nothing } from 'lit';
import { styleMap } from 'lit/directives/style-map.js';
import { isAbsent } from '../core/absent.ts';
import { isAbsence } from '../core/gaps.ts';
import type { MarkCluster } from '../core/marks.ts';
import { clusterMarks, kindText } from '../core/marks.ts';
import { clockText, gapLabel, gapWhen, gapWhy } from '../core/words.ts';
import { tokens } from '../style/tokens.ts';
import type { ReplayView } from './replay.ts';

const PLACES_PER_PX = 1 / 7;
const STEP_MS = 10_000;

/** The timeline: what is recorded, what is here, where nothing happens, marks, and the playhead. Fires `seek` with a moment. */
export class TimelineBar extends LitElement {
  static override properties = {
    view: { attribute: false },
    hoverAt: { state: true },
    width: { state: true },
  };
  declare view: ReplayView | null;
  declare hoverAt: number | null;
  declare width: number;
  #dragging = false;
  readonly #resizes = new ResizeObserver(([entry]) => {
    this.width = entry?.contentRect.width ?? 0;
  });
  #clusters: { readonly key: string; readonly list: readonly MarkCluster[] } = { key: '', list: [] };

  constructor() {
    super();
    this.view = null;
    this.hoverAt = null;
    this.width = 0;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#resizes.observe(this);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#resizes.disconnect();
  }

  static override styles = [
    tokens,
    css`
      :host {
        display: block;
        position: relative;
        user-select: none;
      }
      .bar {
        position: relative;
        height: 34px;
        cursor: pointer;
        touch-action: none;
        border-radius: var(--radius-s);
      }
      .track,
      .buffer,
      .played,
      .idle {
        position: absolute;
        top: 19px;
        height: 6px;
        border-radius: 3px;
      }
      .track {
        left: 0;
        right: 0;
        background: var(--line);
      }
      .buffer {
        left: 0;
        background: var(--line-strong);
      }
      .played {
        left: 0;
        background: var(--accent);
      }
      .idle {
        border-radius: 0;
        background: repeating-linear-gradient(115deg, transparent 0 3px, var(--surface) 3px 5px);
        opacity: 0.5;
      }
      .absent {
        position: absolute;
        top: 19px;
        height: 6px;
        border-radius: 3px;
        background: repeating-linear-gradient(90deg, var(--line-strong) 0 6px, var(--surface) 6px 12px);
        animation: come 1s linear infinite;
      }
      @keyframes come {
        to {
          background-position-x: 12px;
        }
      }
      @media (prefers-reduced-motion: reduce) {
        .absent {
          animation: none;
        }
      }
      .gaps {
        position: absolute;
        inset: 0;
        margin: 0;
        padding: 0;
        list-style: none;
        pointer-events: none;
      }
      .gap {
        position: absolute;
        top: 14px;
        height: 16px;
        min-width: 5px;
        border-radius: 4px;
        border: 1px solid var(--warn);
        background: repeating-linear-gradient(135deg, var(--warn) 0 2px, transparent 2px 6px), var(--warn-soft);
      }
      .gap.away {
        border-color: var(--ink-3);
        background: repeating-linear-gradient(135deg, var(--ink-3) 0 2px, transparent 2px 6px), var(--sunken);
      }
      .said {
        position: absolute;
        width: 1px;
        height: 1px;
        overflow: hidden;
        clip-path: inset(50%);
        white-space: nowrap;
      }
      .head {
        z-index: 1;
        position: absolute;
        top: 13px;
        width: 4px;
        height: 18px;
        margin-left: -2px;
        border-radius: 2px;
        background: var(--ink);
        box-shadow: 0 0 0 2px var(--surface);
      }
      .bar:hover .head {
        transform: scaleX(1.5);
      }
      .mark {
        position: absolute;
        top: 5px;
        width: 3px;
        height: 8px;
        margin-left: -1.5px;
        border-radius: 1.5px;
        background: var(--ink-3);
      }
      .mark.click,
      .mark.tap {
        background: var(--accent);
      }
      .mark.navigation {
        background: var(--warn);
      }
      .mark.error,
      .mark.crash {
        background: var(--error);
        width: 5px;
        margin-left: -2.5px;
        top: 3px;
        height: 10px;
      }
      .hover-line {
        position: absolute;
        top: 13px;
        width: 1px;
        height: 18px;
        background: var(--ink-3);
        pointer-events: none;
      }
      .tip {
        position: absolute;
        bottom: calc(100% + 4px);
        max-width: min(380px, 100%);
        padding: 5px 9px;
        border-radius: var(--radius-s);
        background: light-dark(#17171c, #34343d);
        color: #fff;
        font-size: 12.5px;
        line-height: 1.35;
        box-shadow: var(--shadow);
        pointer-events: none;
        white-space: nowrap;
        overflow: hidden;
        text-overflow: ellipsis;
        z-index: 5;
      }
      .tip b {
        font-weight: 600;
      }
      .tip .text {
        opacity: 0.8;
      }
    `,
  ];

  override render(): TemplateResult {
    const view = this.view;
    if (!view?.ready) return html`<div class="bar" aria-hidden="true"><div class="track"></div></div>`;
    const span = Math.max(1, view.endMs - view.startMs);
    const ratio = (timeMs: number): number => Math.min(1, Math.max(0, (timeMs - view.startMs) / span));
    const at = (timeMs: number): string => `${ratio(timeMs) * 100}%`;
    const now = view.timeMs - view.startMs;
    return html`
      <div
        class="bar"
        role="slider"
        tabindex="0"
        aria-label="Timeline"
        aria-valuemin="0"
        aria-valuemax=${Math.round(span / 1000)}
        aria-valuenow=${Math.round(now / 1000)}
        aria-valuetext="${clockText(now)} of ${clockText(span)}${view.gapNow ? `, ${gapLabel(view.gapNow, view.startMs)}` : ''}"
        @pointerdown=${this.#down}
        @pointermove=${this.#move}
        @pointerup=${this.#up}
        @pointercancel=${this.#up}
        @pointerleave=${() => {
          if (!this.#dragging) this.hoverAt = null;
        }}
        @keydown=${this.#key}
      >
        <div class="track"></div>
        <div class="buffer" style=${styleMap({ width: at(view.bufferedMs) })}></div>
        <div class="played" style=${styleMap({ width: at(view.timeMs) })}></div>
        ${
          view.absent === null
            ? nothing
            : html`<div
              class="absent"
              style=${styleMap({ left: at(view.absent.fromMs), width: `${(ratio(view.absent.toMs) - ratio(view.absent.fromMs)) * 100}%` })}
            ></div>`
        }
        ${view.inactive.map(
          (range) =>
            html`<div
              class="idle"
              style=${styleMap({ left: at(range.fromMs), width: `${((range.toMs - range.fromMs) / span) * 100}%` })}
            ></div>`,
        )}
        ${this.#marks(view).map(
          (cluster) => html`<div class="mark ${cluster.mark.kind}" style=${styleMap({ left: `${cluster.at * 100}%` })}></div>`,
        )}
        ${this.hoverAt === null ? nothing : html`<div class="hover-line" style=${styleMap({ left: `${this.hoverAt * 100}%` })}></div>`}
        <div class="head" style=${styleMap({ left: at(view.timeMs) })}></div>
      </div>
      ${
        view.gaps.length === 0
          ? nothing
          : html`<ul class="gaps" aria-label="Gaps in the recording">
            ${view.gaps.map((gap) => {
              const [left, right] = [ratio(gap.fromMs), ratio(gap.toMs)];
              // One of no length at the end is seen, too.
              const style = styleMap({ left: `min(${left * 100}%, 100% - 5px)`, width: `${(right - left) * 100}%` });
              return html`<li class="gap ${isAbsence(gap) ? 'away' : ''}" style=${style}>
                <span class="said">${gapLabel(gap, view.startMs)}</span>
              </li>`;
            })}
          </ul>`
      }
      ${this.hoverAt === null ? nothing : this.#tip(view, this.hoverAt, span)}
    `;
  }

  protected override updated(changed: PropertyValues<this>): void {
    if (!changed.has('hoverAt')) return;
    const tip = this.renderRoot.querySelector<HTMLElement>('.tip');
    if (!tip || this.hoverAt === null) return;
    const left = this.hoverAt * this.width - tip.offsetWidth / 2;
    tip.style.left = `${Math.min(Math.max(0, left), Math.max(0, this.width - tip.offsetWidth))}px`;
  }

  #tip(view: ReplayView, hoverAt: number, span: number): TemplateResult {
    const near = this.#marks(view)
      .filter((cluster) => Math.abs(cluster.at - hoverAt) * this.width < 7)
      .toSorted((a, b) => Math.abs(a.at - hoverAt) - Math.abs(b.at - hoverAt))[0];
    const time = view.startMs + hoverAt * span;
    const coming = isAbsent(view.absent, time);
    const idle = view.inactive.some((range) => range.fromMs <= time && time <= range.toMs);
    // A short gap is wider on the screen than in time.
    const reachMs = (5 / Math.max(1, this.width)) * span;
    const gap = view.gaps.find(({ fromMs, toMs }) => fromMs - reachMs <= time && time <= toMs + reachMs);
    return html`<div class="tip">
      <span class="num">${clockText(hoverAt * span)}</span>
      ${
        gap
          ? html` · <b>Gap</b> <span class="num">${gapWhen(gap, view.startMs)}</span> <span class="text">${gapWhy(gap)}</span>`
          : near
            ? html` · <b>${kindText(near.mark.kind)}</b> <span class="text">${near.mark.text}</span>${
                near.count > 1 ? html` <span class="text">+${near.count - 1}</span>` : nothing
              }`
            : coming
              ? html` · <span class="text">still loading</span>`
              : idle
                ? html` · <span class="text">inactive</span>`
                : nothing
      }
    </div>`;
  }

  #marks(view: ReplayView): readonly MarkCluster[] {
    const places = Math.max(1, Math.floor(this.width * PLACES_PER_PX));
    const key = `${view.marks.length}:${view.startMs}:${view.endMs}:${places}`;
    if (key !== this.#clusters.key) this.#clusters = { key, list: clusterMarks(view.marks, view.startMs, view.endMs, places) };
    return this.#clusters.list;
  }

  #ratio(event: PointerEvent): number {
    const box = this.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / Math.max(1, box.width)));
  }

  #down = (event: PointerEvent): void => {
    if (event.button !== 0) return;
    this.#dragging = true;
    (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
    this.hoverAt = this.#ratio(event);
    this.#seekTo(this.hoverAt);
  };

  #move = (event: PointerEvent): void => {
    this.hoverAt = this.#ratio(event);
    if (this.#dragging) this.#seekTo(this.hoverAt);
  };

  #up = (event: PointerEvent): void => {
    this.#dragging = false;
    if (event.pointerType === 'touch') this.hoverAt = null;
  };

  #key = (event: KeyboardEvent): void => {
    const view = this.view;
    if (!view) return;
    const to = { Home: view.startMs, End: view.endMs, PageUp: view.timeMs + STEP_MS * 3, PageDown: view.timeMs - STEP_MS * 3 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.#seek(to);
  };

  #seekTo(ratio: number): void {
    const view = this.view;
    if (view) this.#seek(view.startMs + ratio * (view.endMs - view.startMs));
  }

  #seek(timeMs: number): void {
    this.dispatchEvent(new CustomEvent('seek', { detail: timeMs }));
  }
}

customElements.define('playhead-timeline', TimelineBar);

declare global {
  interface HTMLElementTagNameMap {
    'playhead-timeline': TimelineBar;
  }
}
