import type { TemplateResult } from 'lit';
import { html, LitElement, nothing } from 'lit';
import { SPEEDS } from '../core/clock.ts';
import type { Gap } from '../core/gaps.ts';
import { hidesPicture, isAbsence } from '../core/gaps.ts';
import { clockText, gapsText, gapTitle, gapWhy, sentence, spanText } from '../core/words.ts';
import { icon } from '../style/icons.ts';
import { ReadApi } from './api.ts';
import { playerKey } from './keys.ts';
import { playerStyles } from './player-styles.ts';
import type { ReplayView } from './replay.ts';
import { Replay } from './replay.ts';
import './timeline-bar.ts';

const JUMP_MS = 10_000;
/** How often texts and the timeline follow the clock. The stage follows every animation frame. */
const REFRESH_MS = 100;

/**
 * `<playhead-player session-id="..." api-base="...">`: watches one session, live or over.
 *
 * Attributes that tell what is going on: `state`, `lag-ms`, `position`, `current-time-ms`, `faults`.
 * Events: `playhead-change` with the `ReplayView` whenever something that a page shows has changed.
 */
export class PlayheadPlayer extends LitElement {
  static override properties = {
    sessionId: { attribute: 'session-id' },
    apiBase: { attribute: 'api-base' },
    view: { state: true },
  };
  static override styles = playerStyles;
  declare sessionId: string;
  declare apiBase: string;
  /** What is shown now; null before the session is opened. */
  declare view: ReplayView | null;
  #replay: Replay | null = null;
  #opened = '';
  #refresh = 0;

  constructor() {
    super();
    this.sessionId = '';
    this.apiBase = '';
    this.view = null;
  }

  get state(): string {
    return this.view?.state ?? 'connecting';
  }

  get lagMs(): number | null {
    return this.view?.lagMs ?? null;
  }

  get position(): string | null {
    return this.view?.position ?? null;
  }

  get currentTimeMs(): number {
    return this.view ? this.view.timeMs - this.view.startMs : 0;
  }

  get faults(): number {
    return this.#replay?.faults ?? 0;
  }

  /** The replayed document of a window, of the one on the screen by default; null where there is none. */
  contentDocument(windowId?: string): Document | null {
    return this.#replay?.stages.contentDocument(windowId) ?? null;
  }

  /** The canvas on the screen; null where pages are shown. */
  get canvas(): HTMLCanvasElement | null {
    return this.#replay?.stages.pictures?.canvas ?? null;
  }

  play(): void {
    this.#do((replay) => replay.play());
  }

  pause(): void {
    this.#do((replay) => replay.pause());
  }

  goLive(): void {
    this.#do((replay) => replay.goLive());
  }

  /** @param timeMs from the beginning of the session */
  seek(timeMs: number): void {
    this.#do((replay) => replay.seek((this.view?.startMs ?? 0) + timeMs));
  }

  setSpeed(speed: number): void {
    this.#do((replay) => replay.setSpeed(speed));
  }

  toggle(): void {
    if (this.view?.mode === 'paused') this.play();
    else this.pause();
  }

  /** Moves by `ms` from the present moment. */
  jump(ms: number): void {
    this.seek(this.currentTimeMs + ms);
  }

  /** One picture on or back, where pictures are shown and stand still. */
  step(direction: -1 | 1): void {
    if (this.view?.mode !== 'paused') return;
    const timeMs = this.#replay?.stages.pictures?.neighbour(this.view.timeMs, direction) ?? null;
    if (timeMs !== null) this.#do((replay) => replay.stand(timeMs));
  }

  override connectedCallback(): void {
    super.connectedCallback();
    if (!this.hasAttribute('tabindex')) this.tabIndex = 0;
    this.addEventListener('keydown', this.#key);
    if (this.hasUpdated) this.#open();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.removeEventListener('keydown', this.#key);
    this.#close();
  }

  protected override updated(): void {
    // What is left is updated once more; it must not come to life again.
    if (this.isConnected && this.#opened !== `${this.apiBase} ${this.sessionId}`) this.#open();
  }

  #open(): void {
    this.#close();
    this.#opened = `${this.apiBase} ${this.sessionId}`;
    const host = this.renderRoot.querySelector<HTMLElement>('.host');
    if (!host || this.sessionId === '') return;
    this.#replay = new Replay(new ReadApi(this.apiBase), this.sessionId, host);
    this.#refresh = window.setInterval(() => this.#take(), REFRESH_MS);
    this.#take();
  }

  #close(): void {
    clearInterval(this.#refresh);
    this.#replay?.close();
    this.#replay = null;
    this.#opened = '';
    this.view = null;
  }

  #do(act: (replay: Replay) => void): void {
    if (!this.#replay) return;
    act(this.#replay);
    this.#take();
  }

  #take(): void {
    const replay = this.#replay;
    if (!replay) return;
    const view = replay.view;
    this.view = view;
    this.setAttribute('state', view.state);
    this.setAttribute('current-time-ms', String(Math.round(view.timeMs - view.startMs)));
    this.setAttribute('faults', String(replay.faults));
    this.setAttribute('shape', replay.stages.pictures ? 'tall' : view.position === null ? 'unknown' : 'wide');
    if (view.lagMs !== null) this.setAttribute('lag-ms', String(Math.round(view.lagMs)));
    if (view.position !== null) this.setAttribute('position', view.position);
    this.dispatchEvent(new CustomEvent('playhead-change', { detail: view }));
  }

  override render(): TemplateResult {
    const view = this.view;
    return html`
      <div class="top">
        <span class="pill ${view?.state ?? 'connecting'}" role="status"><span class="dot"></span>${view?.text ?? 'Connecting…'}</span>
        ${view?.href ? html`<div class="address mono" title=${view.href}><span>${view.href}</span></div>` : html`<div class="spring"></div>`}
        ${this.#windowChoice()}
      </div>
      ${this.#notice(view)}
      <div class="stages">
        <div class="host"></div>
        ${this.#veil(view)}
      </div>
      <div class="controls">
        <playhead-timeline
          .view=${view}
          @seek=${(event: CustomEvent<number>) => this.#do((replay) => replay.seek(event.detail))}
        ></playhead-timeline>
        ${this.#buttons(view)}
      </div>
    `;
  }

  #buttons(view: ReplayView | null): TemplateResult {
    const idle = !view?.ready;
    const paused = view?.mode === 'paused';
    const over = paused && !view.live && view.timeMs >= view.endMs;
    const [glyph, label] = idle
      ? (['play', 'Play'] as const)
      : over
        ? (['again', 'Play again'] as const)
        : paused
          ? (['play', 'Play'] as const)
          : (['pause', 'Pause'] as const);
    const behind = view !== null && view.live && view.ready && view.mode !== 'following' && !view.loading;
    return html`<div class="row">
      <button class="icon-button play" ?disabled=${idle} @click=${() => this.toggle()} aria-label=${label} title="${label} (space)">
        ${icon(glyph)}
      </button>
      <button class="icon-button" ?disabled=${idle} @click=${() => this.jump(-JUMP_MS)} aria-label="Back 10 seconds" title="Back 10 s (←)">
        ${icon('back', 22)}
      </button>
      <button class="icon-button" ?disabled=${idle} @click=${() => this.jump(JUMP_MS)} aria-label="Forward 10 seconds" title="Forward 10 s (→)">
        ${icon('forward', 22)}
      </button>
      <span class="time num">
        <b>${clockText(view ? view.timeMs - view.startMs : 0)}</b> / ${clockText(view ? view.endMs - view.startMs : 0)}
      </span>
      <span class="spring"></span>
      ${
        behind
          ? html`<button class="go-live" @click=${() => this.goLive()} title="Go to the live edge (L), ${spanText(view.behindMs)} ahead">
            ${icon('live', 18)} Go live
          </button>`
          : nothing
      }
      <button
        class="icon-button toggle"
        ?disabled=${idle}
        aria-pressed=${view?.skipInactive ? 'true' : 'false'}
        aria-label="Skip inactivity"
        title="Skip inactivity (S)"
        @click=${() => this.#do((replay) => replay.setSkipInactive(!replay.view.skipInactive))}
      >
        ${icon('skip')}
      </button>
      <select
        class="choice speed num"
        aria-label="Speed"
        title="Speed (1–5)"
        ?disabled=${idle}
        .value=${String(view?.speed ?? 1)}
        @change=${(event: Event) => this.setSpeed(Number((event.target as HTMLSelectElement).value))}
      >
        ${SPEEDS.map((speed) => html`<option value=${speed} ?selected=${speed === (view?.speed ?? 1)}>${speed}×</option>`)}
      </select>
      <button class="icon-button fullscreen" @click=${this.#fullscreen} aria-label="Full screen" title="Full screen (F)">${icon('full')}</button>
    </div>`;
  }

  #windowChoice(): TemplateResult | typeof nothing {
    const stages = this.#replay?.stages;
    if (!stages || stages.windowIds.length < 2) return nothing;
    const { windowIds, activeId, pinned } = stages;
    const following = windowIds.indexOf(activeId ?? '') + 1;
    return html`<select
      class="choice"
      aria-label="Window"
      title="Which of the visitor's windows is shown"
      @change=${(event: Event) => stages.pin((event.target as HTMLSelectElement).value || null)}
    >
      <option value="" ?selected=${pinned === null}>Auto · window ${following}</option>
      ${windowIds.map((id, index) => html`<option value=${id} ?selected=${pinned === id}>Window ${index + 1}</option>`)}
    </select>`;
  }

  /** What was lost; that nobody was there is for the timeline to say. */
  #notice(view: ReplayView | null): TemplateResult | typeof nothing {
    const lost = view?.gaps.filter((gap) => !isAbsence(gap)) ?? [];
    return lost.length > 0 ? html`<div class="notice">A part of this session is missing: ${gapsText(lost)}.</div>` : nothing;
  }

  #veil(view: ReplayView | null): TemplateResult | typeof nothing {
    if (!view) return nothing;
    if (view.state === 'deleted') return message('This session was deleted', 'Its recording is no longer there.');
    if (view.state === 'refused') {
      switch (view.refusal) {
        case 'unauthorized':
          return message('You are not signed in', 'Open the link that the server printed when it started, then come back to this page.');
        case 'forbidden':
          return message('You may not watch this session', 'It belongs to another project.');
        case 'not-found':
          return message('There is no such session', 'Check the address, or look for it in the list of sessions.');
        case 'changed':
          return message('The stored session was replaced', 'Reload the page to see what is there now.');
        case 'invalid':
        case null:
          return message('This session cannot be opened', 'The server did not understand the request.');
      }
    }
    if (view.waiting) return loadingVeil('Loading this part of the session…', 'waiting');
    if (view.gapNow !== null && view.ready && (view.position !== null || !view.loading)) return gapVeil(view.gapNow, view.startMs);
    if (view.position !== null) return nothing;
    if (view.state === 'ended' && !view.loading && !view.ready)
      return message('Nothing was recorded', 'The session ended before anything could be seen.');
    const text =
      view.state === 'reconnecting'
        ? 'The server does not answer. Trying again…'
        : view.ready
          ? 'Loading the replay…'
          : 'Waiting for the first picture…';
    return loadingVeil(view.state === 'connecting' ? 'Connecting…' : text);
  }

  #fullscreen = (): void => {
    if (document.fullscreenElement) void document.exitFullscreen();
    else void this.requestFullscreen();
  };

  #key = (event: KeyboardEvent): void => {
    const target = event.composedPath()[0];
    if (target instanceof HTMLSelectElement || target instanceof HTMLInputElement) return;
    const onButton = target instanceof HTMLButtonElement;
    const action = playerKey(event, this.view?.speed ?? 1);
    if (!action || (onButton && event.key === ' ')) return;
    event.preventDefault();
    switch (action.do) {
      case 'toggle':
        this.toggle();
        break;
      case 'jump':
        this.jump(action.ms);
        break;
      case 'first':
        this.seek(0);
        break;
      case 'last':
        this.#do((replay) => replay.seekToEnd());
        break;
      case 'live':
        this.goLive();
        break;
      case 'step':
        this.step(action.direction);
        break;
      case 'speed':
        this.setSpeed(action.speed);
        break;
      case 'skip':
        this.#do((replay) => replay.setSkipInactive(!replay.view.skipInactive));
        break;
      case 'fullscreen':
        this.#fullscreen();
        break;
    }
  };
}

function loadingVeil(text: string, kind = ''): TemplateResult {
  return html`<div class="veil ${kind}" role="status"><div class="spinner"></div><p>${text}</p></div>`;
}

function gapVeil(gap: Gap, startMs: number): TemplateResult {
  return html`<div class="veil gap ${hidesPicture(gap) ? 'blind' : isAbsence(gap) ? 'away' : ''}" role="status">
    <div class="card">
      <h2>${gapTitle(gap, startMs)}</h2>
      <p>${sentence(gapWhy(gap))}</p>
    </div>
  </div>`;
}

function message(title: string, text: string): TemplateResult {
  return html`<div class="veil" role="alert">
    <h2>${title}</h2>
    <p>${text}</p>
  </div>`;
}

customElements.define('playhead-player', PlayheadPlayer);

declare global {
  interface HTMLElementTagNameMap {
    'playhead-player': PlayheadPlayer;
  }
}
