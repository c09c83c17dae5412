import type { SessionInfo } from '@playhead/schemas';
import type { TemplateResult } from 'lit';
import { html, LitElement, nothing } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import { liveFirst } from '../core/session-list.ts';
import { agoText, clockText } from '../core/words.ts';
import { ReadApi } from '../player/api.ts';
import { icon } from '../style/icons.ts';
import { pill, tokens } from '../style/tokens.ts';
import { copyText } from './copy.ts';
import type { FeedView } from './session-feed.ts';
import { SessionFeed } from './session-feed.ts';
import { listStyles } from './session-list-styles.ts';
import { deviceText, faultsOf, momentText, nameOf, pagesOf, pressesOf, shortId, sourceIcon, sourceText } from './session-words.ts';

/** All sessions, live ones first. */
export class SessionListPage extends LitElement {
  static override properties = {
    demoShopUrl: { attribute: false },
    writeKey: { attribute: false },
    feed: { state: true },
    liveOnly: { state: true },
    now: { state: true },
    copied: { state: true },
  };
  declare demoShopUrl: string;
  declare writeKey: string;
  declare feed: FeedView | null;
  declare liveOnly: boolean;
  declare now: number;
  declare copied: boolean;
  #sessions: SessionFeed | null = null;
  #ticking = 0;

  static override styles = [tokens, pill, listStyles];

  constructor() {
    super();
    this.demoShopUrl = '';
    this.writeKey = '';
    this.feed = null;
    this.liveOnly = false;
    this.now = Date.now();
    this.copied = false;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    document.title = 'Sessions · Playhead';
    this.#sessions = new SessionFeed(new ReadApi(), (view) => {
      this.feed = view;
    });
    this.#ticking = window.setInterval(() => {
      this.now = Date.now();
    }, 1_000);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#sessions?.close();
    clearInterval(this.#ticking);
  }

  override render(): TemplateResult {
    const feed = this.feed;
    if (feed?.fault === 'unauthorized') return this.#signIn();
    const all = liveFirst(feed?.sessions ?? []);
    const shown = this.liveOnly ? all.filter((session) => session.live) : all;
    const live = all.filter((session) => session.live).length;
    return html`<div class="page">
      <div class="head">
        <h1>Sessions</h1>
        ${live > 0 ? html`<span class="pill live"><span class="dot"></span>${live} live</span>` : nothing}
        <span class="spring"></span>
        ${
          all.length > 0
            ? html`<label class="switch">
              <input
                type="checkbox"
                role="switch"
                .checked=${this.liveOnly}
                @change=${(event: Event) => {
                  this.liveOnly = (event.target as HTMLInputElement).checked;
                }}
              />
              <span class="knob" aria-hidden="true"></span>
              Live only
            </label>`
            : nothing
        }
      </div>
      ${feed?.fault === 'unreachable' ? html`<div class="fault" role="alert">The server does not answer. Trying again every few seconds.</div>` : nothing}
      ${!feed?.loaded ? (feed?.fault ? nothing : this.#skeleton()) : all.length === 0 ? this.#empty() : this.#table(shown)}
      ${
        feed?.next !== null && feed?.next !== undefined && !this.liveOnly
          ? html`<button class="more" ?disabled=${feed.loadingMore} @click=${() => void this.#sessions?.more()}>
            ${feed.loadingMore ? 'Loading…' : 'Load more'}
          </button>`
          : nothing
      }
    </div>`;
  }

  #table(shown: readonly SessionInfo[]): TemplateResult {
    if (shown.length === 0) return html`<div class="nothing">Nobody is here right now. A session appears as soon as it starts.</div>`;
    return html`<div class="list" role="table" aria-label="Sessions">
      <div class="line names" role="row">
        <span role="columnheader">Visitor</span>
        <span role="columnheader">Started</span>
        <span role="columnheader" class="right">Duration</span>
        <span role="columnheader" class="right">Pages</span>
        <span role="columnheader" class="right">Clicks</span>
        <span role="columnheader" class="right">Errors</span>
      </div>
      ${repeat(
        shown,
        (session) => session.sessionId,
        (session) => this.#line(session),
      )}
    </div>`;
  }

  #line(session: SessionInfo): TemplateResult {
    const device = deviceText(session.facts);
    const duration = session.live ? Math.max(session.durationMs, this.now - session.startedAtMs) : session.durationMs;
    return html`<a class="line ${session.live ? 'is-live' : ''}" role="row" href="/sessions/${session.sessionId}" data-session=${session.sessionId}>
      <span class="who" role="cell">
        <span class="source" title=${sourceText(session.source)}>${icon(sourceIcon(session.source), 19)}</span>
        <span class="who-text">
          <span class="name">${nameOf(session)} ${session.live ? html`<span class="pill live small"><span class="dot"></span>Live</span>` : nothing}</span>
          <span class="sub">${[device || sourceText(session.source), session.userId === '' ? '' : shortId(session.sessionId), lastPage(session)].filter(Boolean).join(' · ')}</span>
        </span>
      </span>
      <span class="started" role="cell" title=${momentText(session.startedAtMs)}>${agoText(session.startedAtMs, this.now)}</span>
      <span class="right num duration" role="cell">${clockText(duration)}</span>
      ${countCell(pagesOf(session), 'page')} ${countCell(pressesOf(session), 'click')} ${countCell(faultsOf(session), 'error', 'bad')}
    </a>`;
  }

  #empty(): TemplateResult {
    const snippet = `<script src="${location.origin}/recorder.js" data-key="${this.writeKey || 'YOUR_WRITE_KEY'}" async></script>`;
    return html`<div class="empty">
      <h2>No sessions yet</h2>
      <p>A session appears here the moment somebody opens a page that has the recorder.</p>
      ${
        this.demoShopUrl
          ? html`<a class="primary" href=${this.demoShopUrl} target="_blank" rel="noopener">Open the demo shop ${icon('outside', 16)}</a>
            <p class="or">or record your own site: put this into its <span class="mono">&lt;head&gt;</span></p>`
          : html`<p class="or">Put this into your site's <span class="mono">&lt;head&gt;</span>:</p>`
      }
      <div class="snippet">
        <code class="mono">${snippet}</code>
        <button
          class="copy"
          aria-label="Copy the script tag"
          @click=${() => {
            void copyText(snippet).then((copied) => {
              this.copied = copied;
              setTimeout(() => {
                this.copied = false;
              }, 1_500);
            });
          }}
        >
          ${icon(this.copied ? 'check' : 'copy', 17)}
        </button>
      </div>
    </div>`;
  }

  #signIn(): TemplateResult {
    return html`<div class="empty" role="alert">
      <h2>You are not signed in</h2>
      <p>
        Open the link that the server printed when it started. It ends in <span class="mono">/?token=…</span> and signs this browser in; then
        come back here.
      </p>
    </div>`;
  }

  #skeleton(): TemplateResult {
    return html`<div class="list" aria-busy="true" aria-label="Loading sessions">
      ${[1, 2, 3, 4].map(() => html`<div class="line bone"><span></span></div>`)}
    </div>`;
  }
}

/** A number under its column's name; on phones, where columns have no names, with its noun, and left out when it is 0. */
function countCell(value: number, noun: string, emphasis = ''): TemplateResult {
  return html`<span class="right num fact ${value > 0 ? emphasis : 'none'}" role="cell" data-label=${value === 1 ? noun : `${noun}s`}>${value}</span>`;
}

/** The path of the page that was visited last; '' when none is known. */
function lastPage(session: SessionInfo): string {
  const page = session.pages.at(-1);
  if (page === undefined) return '';
  try {
    const url = new URL(page);
    return url.host + (url.pathname === '/' ? '' : url.pathname);
  } catch {
    return page;
  }
}

customElements.define('playhead-session-list', SessionListPage);
