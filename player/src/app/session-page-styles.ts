import { css } from 'lit';

export const sessionPageStyles = css`
  :host {
    display: grid;
    grid-template-columns: minmax(0, 1fr) 312px;
    grid-template-rows: calc(100dvh - 54px);
  }
  playhead-player {
    height: 100%;
  }
  playhead-player:focus-visible {
    outline: none;
  }
  aside {
    display: flex;
    flex-direction: column;
    min-height: 0;
    border-left: 1px solid var(--line);
    background: var(--surface);
  }
  .up {
    display: inline-flex;
    align-items: center;
    gap: 4px;
    align-self: flex-start;
    margin: 12px 14px 0 12px;
    padding: 4px 8px 4px 4px;
    border-radius: var(--radius-s);
    color: var(--ink-2);
    font-size: 13px;
    text-decoration: none;
  }
  .up:hover {
    background: var(--sunken);
    color: var(--ink);
  }
  .facts {
    padding: 8px 18px 16px;
    border-bottom: 1px solid var(--line);
  }
  h1 {
    margin: 0;
    font-size: 17px;
    font-weight: 650;
    letter-spacing: -0.01em;
    overflow-wrap: anywhere;
  }
  .when {
    margin: 2px 0 12px;
    color: var(--ink-3);
    font-size: 12.5px;
  }
  .tiles {
    display: grid;
    grid-template-columns: repeat(3, 1fr);
    gap: 8px;
    margin-bottom: 12px;
  }
  .tile {
    padding: 7px 10px 8px;
    border-radius: var(--radius);
    background: var(--bg);
    display: grid;
    font-size: 12px;
    color: var(--ink-3);
  }
  .tile b {
    font-size: 17px;
    font-weight: 600;
    line-height: 1.3;
    color: var(--ink);
  }
  .tile.bad {
    background: var(--error-soft);
    color: var(--error);
  }
  .tile.bad b {
    color: var(--error);
  }
  dl {
    display: grid;
    grid-template-columns: 72px minmax(0, 1fr);
    gap: 5px 10px;
    margin: 0;
    font-size: 13px;
  }
  dt {
    color: var(--ink-3);
  }
  dd {
    margin: 0;
    min-width: 0;
  }
  .id {
    display: flex;
    align-items: center;
    gap: 2px;
  }
  .id span {
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
  }
  .id button {
    flex: none;
    display: grid;
    place-items: center;
    width: 26px;
    height: 22px;
    border: 0;
    border-radius: 5px;
    background: none;
    color: var(--ink-3);
  }
  .id button:hover {
    background: var(--sunken);
    color: var(--ink);
  }
  .missing {
    flex: none;
    display: flex;
    flex-direction: column;
    max-height: 34%;
    border-bottom: 1px solid var(--line);
  }
  .gap .glyph {
    color: var(--warn);
  }
  .gap.away .glyph {
    color: var(--ink-3);
  }
  .gap .what {
    white-space: normal;
  }
  .size {
    display: block;
    color: var(--ink-3);
    font-size: 12.5px;
  }
  .signals {
    flex: 1;
    min-height: 0;
    display: flex;
    flex-direction: column;
  }
  h2 {
    margin: 0;
    padding: 13px 18px 7px;
    font-size: 13px;
    font-weight: 600;
  }
  .count {
    margin-left: 4px;
    color: var(--ink-3);
    font-weight: 500;
  }
  .nothing {
    margin: 0;
    padding: 2px 18px 18px;
    color: var(--ink-3);
    font-size: 13px;
  }
  ol {
    flex: 1;
    min-height: 0;
    margin: 0;
    padding: 0 10px 12px;
    list-style: none;
    overflow-y: auto;
    scrollbar-width: thin;
    scrollbar-color: var(--line-strong) transparent;
  }
  .signal {
    display: flex;
    align-items: center;
    gap: 9px;
    width: 100%;
    padding: 6px 8px;
    border: 0;
    border-radius: var(--radius-s);
    background: none;
    text-align: left;
    font-size: 13px;
  }
  .signal:hover {
    background: var(--sunken);
  }
  .signal:focus-visible {
    outline-offset: -2px;
  }
  .signal.current {
    background: var(--accent-soft);
  }
  .glyph {
    flex: none;
    display: grid;
    color: var(--ink-3);
  }
  .click .glyph,
  .tap .glyph {
    color: var(--accent);
  }
  .navigation .glyph {
    color: var(--warn);
  }
  .error .glyph,
  .crash .glyph,
  .error b,
  .crash b {
    color: var(--error);
  }
  .what {
    flex: 1;
    min-width: 0;
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
    color: var(--ink-2);
  }
  .what b {
    font-weight: 550;
    color: var(--ink);
  }
  .at {
    color: var(--ink-3);
    font-size: 12.5px;
  }
  @media (max-width: 860px) {
    :host {
      grid-template-columns: minmax(0, 1fr);
      grid-template-rows: auto auto;
      align-content: start;
    }
    playhead-player {
      height: max(400px, min(68dvh, 620px));
    }
    playhead-player[shape='wide'] {
      height: max(380px, calc(100vw * 0.64 + 160px));
      max-height: 80dvh;
    }
    aside {
      border-left: 0;
      border-top: 1px solid var(--line);
    }
    .missing {
      max-height: none;
    }
    ol {
      max-height: 50dvh;
    }
  }
`;
