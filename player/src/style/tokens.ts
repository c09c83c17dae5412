import { css } from 'lit';

/** The look of every element: colours, sizes and focus rings, light and dark. Pages set the same names in page.css. */
export const tokens = css`
  :host {
    --bg: light-dark(#f6f6f8, #111114);
    --surface: light-dark(#ffffff, #19191d);
    --sunken: light-dark(#ececf0, #0b0b0d);
    --raised: light-dark(#ffffff, #232329);
    --line: light-dark(#e2e2e8, #2c2c33);
    --line-strong: light-dark(#cbcbd4, #41414b);
    --ink: light-dark(#17171c, #f2f2f5);
    --ink-2: light-dark(#55555f, #b2b2bd);
    --ink-3: light-dark(#74747f, #8b8b97);
    --accent: light-dark(#5151cd, #8f8fff);
    --accent-ink: light-dark(#ffffff, #12121a);
    --accent-soft: light-dark(#ececfd, #26264a);
    --live: light-dark(#0d7d49, #3ecf8e);
    --live-soft: light-dark(#ddf4e7, #10301f);
    --warn: light-dark(#96590a, #f0b755);
    --warn-soft: light-dark(#fdf0d8, #352612);
    --error: light-dark(#c92a38, #ff6b75);
    --error-soft: light-dark(#fde5e7, #3b171b);
    --radius: 10px;
    --radius-s: 7px;
    --shadow: 0 1px 2px light-dark(rgb(20 20 40 / 6%), rgb(0 0 0 / 40%)), 0 8px 24px light-dark(rgb(20 20 40 / 7%), rgb(0 0 0 / 35%));
    --mono: ui-monospace, 'SF Mono', 'Cascadia Mono', 'Roboto Mono', Menlo, Consolas, monospace;
    font: 14px/1.45 system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif;
    color: var(--ink);
    -webkit-font-smoothing: antialiased;
  }
  *,
  *::before,
  *::after {
    box-sizing: border-box;
  }
  button,
  select,
  input {
    font: inherit;
    color: inherit;
  }
  button {
    cursor: pointer;
  }
  a {
    color: inherit;
  }
  :focus {
    outline: none;
  }
  :focus-visible {
    outline: 2px solid var(--accent);
    outline-offset: 2px;
  }
  .mono {
    font-family: var(--mono);
    font-size: 0.92em;
  }
  .num {
    font-variant-numeric: tabular-nums;
  }
  @media (prefers-reduced-motion: reduce) {
    *,
    *::before,
    *::after {
      animation: none !important;
      transition: none !important;
    }
  }
`;

export const pill = css`
  .pill {
    display: inline-flex;
    align-items: center;
    gap: 7px;
    height: 26px;
    padding: 0 10px;
    border-radius: 13px;
    background: var(--sunken);
    color: var(--ink-2);
    font-size: 13px;
    font-weight: 550;
    white-space: nowrap;
    font-variant-numeric: tabular-nums;
  }
  .pill .dot {
    width: 8px;
    height: 8px;
    border-radius: 50%;
    background: currentColor;
    flex: none;
  }
  .pill.live,
  .pill.idle {
    background: var(--live-soft);
    color: var(--live);
  }
  .pill.live .dot {
    animation: pulse 2s ease-out infinite;
  }
  .pill.reconnecting,
  .pill.gap {
    background: var(--warn-soft);
    color: var(--warn);
  }
  .pill.refused,
  .pill.deleted {
    background: var(--error-soft);
    color: var(--error);
  }
  .pill.replaying,
  .pill.catching-up {
    background: var(--accent-soft);
    color: var(--accent);
  }
  @keyframes pulse {
    0% {
      box-shadow: 0 0 0 0 color-mix(in srgb, currentColor 45%, transparent);
    }
    70%,
    100% {
      box-shadow: 0 0 0 6px transparent;
    }
  }
`;
