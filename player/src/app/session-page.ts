import type { SessionInfo } from '@playhead/schemas';
import type { TemplateResult } from 'lit';
import { html, LitElement, nothing } from 'lit';
import { guard } from 'lit/directives/guard.js';
import { repeat } from 'lit/directives/repeat.js';
import type { Gap } from '../core/gaps.ts';
import { isAbsence } from '../core/gaps.ts';
import type { TimelineMark } from '../core/marks.ts';
import { kindText } from '../core/marks.ts';
import { agoText, clockText, gapLabel, gapSize, gapWhen, gapWhy, sentence } from '../core/words.ts';
import type { PlayheadPlayer } from '../player/playhead-player.ts';
import '../player/playhead-player.ts';
import type { ReplayView } from '../player/replay.ts';
import type { IconName } from '../style/icons.ts';
import { icon } from '../style/icons.ts';
import { pill, tokens } from '../style/tokens.ts';
import { copyText } from './copy.ts';
import { sessionPageStyles } from './session-page-styles.ts';
import { deviceText, faultsOf, momentText, nameOf, pagesOf, pressesOf, sourceText } from './session-words.ts';

const LISTED_MAX = 500;
// Made once: to make one takes a millisecond, and the page is drawn ten times a second.
const DAY = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', year: 'numeric' });
const MINUTE = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });

/** One session: the player, what is known of the session, and its signals. */
export class SessionPage extends LitElement {
  static override properties = {
    sessionId: { attribute: false },
    view: { state: true },
    copied: { state: true },
  };
  static override styles = [tokens, pill, sessionPageStyles];
  declare sessionId: string;
  declare view: ReplayView | null;
  declare copied: boolean;

  constructor() {
    super();
    this.sessionId = '';
    this.view = null;
    this.copied = false;
  }

  override render(): TemplateResult {
    const session = this.view?.session ?? null;
    return html`
      <playhead-player
        session-id=${this.sessionId}
        @playhead-change=${(event: CustomEvent<ReplayView>) => {
          this.view = event.detail;
          const title = `${event.detail.session ? nameOf(event.detail.session) : 'Session'} · Playhead`;
          // Each setting costs, also to what it is.
          if (document.title !== title) document.title = title;
        }}
      ></playhead-player>
      <aside>
        <a class="up" href="/">${icon('left', 16)} All sessions</a>
        ${session ? this.#facts(session, this.view?.marks ?? []) : nothing} ${this.view ? this.#gaps(this.view) : nothing}
        ${this.view && this.view.refusal === null ? this.#signals(this.view) : nothing}
      </aside>
    `;
  }

  protected override firstUpdated(): void {
    this.renderRoot.querySelector<HTMLElement>('playhead-player')?.focus({ preventScroll: true });
  }

  #facts(session: SessionInfo, marks: readonly TimelineMark[]): TemplateResult {
    // The stream tells of signals sooner than the catalog counts them.
    const seen = (...kinds: TimelineMark['kind'][]): number => marks.filter((mark) => kinds.includes(mark.kind)).length;
    const pages = Math.max(pagesOf(session), seen('navigation'));
    const clicks = Math.max(pressesOf(session), seen('click', 'tap'));
    const faults = Math.max(faultsOf(session), seen('error', 'crash'));
    const device = deviceText(session.facts);
    const viewport = session.facts['viewport']?.replace(/^(\d+)x(\d+)$/, '$1 × $2');
    return html`<section class="facts">
      <h1>${nameOf(session)}</h1>
      <p class="when" title=${momentText(session.startedAtMs)}>
        ${DAY.format(session.startedAtMs)}, ${MINUTE.format(session.startedAtMs)} · ${agoText(session.startedAtMs, Date.now())}
      </p>
      <div class="tiles">
        ${tile(pages, 'page')} ${tile(clicks, 'click')} ${tile(faults, 'error', faults > 0)}
      </div>
      <dl>
        <dt>Source</dt>
        <dd>${sourceText(session.source)}</dd>
        ${
          device
            ? html`<dt>Device</dt>
              <dd>${device}</dd>`
            : nothing
        }
        ${
          viewport
            ? html`<dt>Viewport</dt>
              <dd class="num">${viewport}</dd>`
            : nothing
        }
        <dt>Session</dt>
        <dd class="id">
          <span class="mono" title=${session.sessionId}>${session.sessionId}</span>
          <button aria-label="Copy the session's id" title="Copy" @click=${() => this.#copy(session.sessionId)}>
            ${icon(this.copied ? 'check' : 'copy', 15)}
          </button>
        </dd>
      </dl>
    </section>`;
  }

  #gaps(view: ReplayView): TemplateResult | typeof nothing {
    if (view.gaps.length === 0) return nothing;
    return html`<section class="missing">
      <h2>Gaps <span class="count num">${view.gaps.length}</span></h2>
      <ol>
        ${repeat(
          view.gaps.slice(0, LISTED_MAX),
          (gap) => gap.id,
          (gap) => this.#gap(view, gap),
        )}
      </ol>
    </section>`;
  }

  #gap(view: ReplayView, gap: Gap): TemplateResult {
    const current = view.gapNow?.id === gap.id;
    return html`<li>
      <button
        class="signal gap ${isAbsence(gap) ? 'away' : ''} ${current ? 'current' : ''}"
        aria-current=${current ? 'true' : 'false'}
        aria-label=${gapLabel(gap, view.startMs)}
        @click=${() => this.#seek(gap.fromMs - view.startMs)}
      >
        <span class="glyph">${icon('gap', 17)}</span>
        <span class="what">
          <b>${sentence(gapWhy(gap)).slice(0, -1)}</b>
          <span class="size num">${[gapWhen(gap, view.startMs), gapSize(gap)].filter(Boolean).join(' · ')}</span>
        </span>
      </button>
    </li>`;
  }

  #signals(view: ReplayView): TemplateResult {
    const marks = view.marks.slice(-LISTED_MAX);
    const current = marks.findLastIndex((mark) => mark.timestampMs <= view.timeMs);
    const nothingYet = view.absent
      ? 'What happened so far is on its way.'
      : view.live
        ? 'Clicks, pages and errors appear here as they happen.'
        : 'None in this session.';
    return html`<section class="signals">
      <h2>Signals <span class="count num">${view.marks.length}</span></h2>
      ${
        marks.length === 0
          ? html`<p class="nothing">${nothingYet}</p>`
          : guard(
              [view.marks.length, marks[0], current, view.startMs],
              () => html`<ol>
                ${repeat(
                  marks,
                  (mark) => `${mark.position.offset}.${mark.position.index}.${mark.kind}`,
                  (mark, index) => this.#mark(view, mark, index === current),
                )}
              </ol>`,
            )
      }
    </section>`;
  }

  #mark(view: ReplayView, mark: TimelineMark, current: boolean): TemplateResult {
    const offset = mark.timestampMs - view.startMs;
    return html`<li>
      <button class="signal ${mark.kind} ${current ? 'current' : ''}" aria-current=${current ? 'true' : 'false'} @click=${() => this.#seek(offset)}>
        <span class="glyph">${icon(glyphOf(mark), 17)}</span>
        <span class="what"><b>${kindText(mark.kind)}</b> <span title=${mark.text}>${mark.text}</span></span>
        <span class="at num">${clockText(offset)}</span>
      </button>
    </li>`;
  }

  #seek(offsetMs: number): void {
    // A little before, so that what led to it is seen.
    this.renderRoot.querySelector<PlayheadPlayer>('playhead-player')?.seek(Math.max(0, offsetMs - 500));
  }

  #copy(sessionId: string): void {
    void copyText(sessionId).then((copied) => {
      this.copied = copied;
      setTimeout(() => {
        this.copied = false;
      }, 1_500);
    });
  }
}

function tile(value: number, noun: string, bad = false): TemplateResult {
  return html`<div class="tile ${bad ? 'bad' : ''}"><b class="num">${value}</b><span>${value === 1 ? noun : `${noun}s`}</span></div>`;
}

function glyphOf(mark: TimelineMark): IconName {
  switch (mark.kind) {
    case 'click':
    case 'tap':
      return 'click';
    case 'navigation':
      return 'navigation';
    case 'error':
    case 'crash':
      return 'error';
    case 'input':
      return 'input';
    case 'console':
    case 'request':
    case 'custom':
    case 'gap':
      return 'note';
  }
}

customElements.define('playhead-session-page', SessionPage);
