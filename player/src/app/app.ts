import type { TemplateResult } from 'lit';
import { css, html, LitElement, nothing } from 'lit';
import { ReadApi } from '../player/api.ts';
import { icon } from '../style/icons.ts';
import { tokens } from '../style/tokens.ts';
import type { Route } from './route.ts';
import { isPlainClick, linkOf, routeOf } from './route.ts';
import './session-list-page.ts';
import './session-page.ts';

/** The web app: a header and one of its pages. Links inside of it change the page without loading it anew. */
export class PlayheadApp extends LitElement {
  static override properties = {
    route: { state: true },
    demoShopUrl: { state: true },
    writeKey: { state: true },
  };
  declare route: Route;
  declare demoShopUrl: string;
  declare writeKey: string;
  readonly #api = new ReadApi();

  constructor() {
    super();
    this.route = routeOf(location.pathname);
    this.demoShopUrl = '';
    this.writeKey = '';
  }

  static override styles = [
    tokens,
    css`
      :host {
        display: flex;
        flex-direction: column;
        min-height: 100vh;
        min-height: 100dvh;
        background: var(--bg);
      }
      header {
        position: sticky;
        top: 0;
        z-index: 10;
        display: flex;
        align-items: center;
        gap: 16px;
        height: 54px;
        padding: 0 20px;
        background: var(--surface);
        border-bottom: 1px solid var(--line);
      }
      .brand {
        display: inline-flex;
        align-items: center;
        gap: 9px;
        font-size: 16px;
        font-weight: 650;
        letter-spacing: -0.01em;
        text-decoration: none;
        border-radius: 6px;
      }
      .brand svg {
        display: block;
      }
      .brand-box {
        fill: var(--accent);
      }
      .brand-head {
        fill: var(--accent-ink);
      }
      .spring {
        flex: 1;
      }
      .shop {
        display: inline-flex;
        align-items: center;
        gap: 6px;
        height: 32px;
        padding: 0 12px;
        border-radius: 16px;
        border: 1px solid var(--line);
        color: var(--ink-2);
        font-size: 13px;
        font-weight: 550;
        text-decoration: none;
      }
      .shop:hover {
        border-color: var(--line-strong);
        color: var(--ink);
      }
      main {
        flex: 1;
        min-height: 0;
        display: flex;
        flex-direction: column;
      }
      main > * {
        flex: 1;
        min-width: 0;
      }
      .lost {
        display: grid;
        place-content: center;
        justify-items: center;
        gap: 8px;
        padding: 48px 24px;
        text-align: center;
        color: var(--ink-2);
      }
      .lost h1 {
        margin: 0;
        font-size: 20px;
        color: var(--ink);
      }
      @media (max-width: 560px) {
        header {
          padding: 0 14px;
          height: 50px;
        }
      }
    `,
  ];

  override connectedCallback(): void {
    super.connectedCallback();
    this.addEventListener('click', this.#click);
    addEventListener('popstate', this.#moved);
    void this.#api.appConfig().then((config) => {
      this.demoShopUrl = safeUrl(config.demoShopUrl);
      this.writeKey = config.writeKey ?? '';
    });
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.removeEventListener('click', this.#click);
    removeEventListener('popstate', this.#moved);
  }

  override render(): TemplateResult {
    return html`
      <header>
        <a class="brand" href="/" aria-label="Playhead, all sessions">
          <svg width="24" height="24" viewBox="0 0 32 32" aria-hidden="true">
            <rect class="brand-box" width="32" height="32" rx="8" />
            <path class="brand-head" d="M10 6h12v5l-6 5-6-5z" />
            <rect class="brand-head" x="15" y="14" width="2" height="12" rx="1" />
          </svg>
          Playhead
        </a>
        <span class="spring"></span>
        ${
          this.demoShopUrl
            ? html`<a class="shop" href=${this.demoShopUrl} target="_blank" rel="noopener">Demo shop ${icon('outside', 15)}</a>`
            : nothing
        }
      </header>
      <main>${this.#page()}</main>
    `;
  }

  #page(): TemplateResult {
    switch (this.route.page) {
      case 'list':
        return html`<playhead-session-list .demoShopUrl=${this.demoShopUrl} .writeKey=${this.writeKey}></playhead-session-list>`;
      case 'session':
        return html`<playhead-session-page .sessionId=${this.route.sessionId}></playhead-session-page>`;
      case 'unknown':
        return html`<div class="lost">
          <h1>There is nothing here</h1>
          <p><a href="/">All sessions</a></p>
        </div>`;
    }
  }

  #moved = (): void => {
    this.route = routeOf(location.pathname);
    document.title = 'Playhead';
  };

  #click = (event: MouseEvent): void => {
    const link = linkOf(event);
    if (!link || !isPlainClick(event)) return;
    event.preventDefault();
    if (link.href !== location.href) history.pushState(null, '', link.href);
    this.#moved();
    scrollTo(0, 0);
  };
}

/** Only addresses of pages: what the server says is still only text. */
function safeUrl(url: string | undefined): string {
  return url !== undefined && /^https?:\/\//.test(url) ? url : '';
}

customElements.define('playhead-app', PlayheadApp);
