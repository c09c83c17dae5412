import { css } from 'lit';

export const listStyles = css`
  :host {
    display: block;
  }
  .page {
    max-width: 1080px;
    margin: 0 auto;
    padding: 28px 20px 56px;
  }
  .head {
    display: flex;
    align-items: center;
    gap: 12px;
    margin-bottom: 16px;
    min-height: 32px;
  }
  h1 {
    margin: 0;
    font-size: 22px;
    font-weight: 650;
    letter-spacing: -0.015em;
  }
  .spring {
    flex: 1;
  }
  .switch {
    display: inline-flex;
    align-items: center;
    gap: 8px;
    font-size: 13.5px;
    color: var(--ink-2);
    cursor: pointer;
  }
  .switch input {
    position: absolute;
    opacity: 0;
    width: 1px;
    height: 1px;
  }
  .knob {
    width: 32px;
    height: 19px;
    border-radius: 10px;
    background: var(--line-strong);
    transition: background 0.15s;
  }
  .knob::after {
    content: '';
    display: block;
    width: 15px;
    height: 15px;
    margin: 2px;
    border-radius: 50%;
    background: #fff;
    transition: transform 0.15s;
  }
  .switch input:checked + .knob {
    background: var(--live);
  }
  .switch input:checked + .knob::after {
    transform: translateX(13px);
  }
  .switch input:focus-visible + .knob {
    outline: 2px solid var(--accent);
    outline-offset: 2px;
  }
  .list {
    background: var(--surface);
    border: 1px solid var(--line);
    border-radius: 12px;
    overflow: hidden;
  }
  .line {
    display: grid;
    grid-template-columns: minmax(0, 1fr) 110px 90px 64px 64px 64px;
    align-items: center;
    gap: 12px;
    padding: 11px 18px;
    text-decoration: none;
    border-top: 1px solid var(--line);
  }
  .line:first-child {
    border-top: 0;
  }
  a.line:hover {
    background: light-dark(#fafafc, #1f1f25);
  }
  a.line:focus-visible {
    outline-offset: -2px;
    border-radius: 10px;
  }
  .names {
    padding-block: 9px;
    color: var(--ink-3);
    font-size: 12.5px;
    font-weight: 550;
  }
  .right {
    text-align: right;
  }
  .who {
    display: flex;
    align-items: center;
    gap: 12px;
    min-width: 0;
  }
  .source {
    flex: none;
    display: grid;
    place-items: center;
    width: 36px;
    height: 36px;
    border-radius: 10px;
    background: var(--sunken);
    color: var(--ink-2);
  }
  .is-live .source {
    background: var(--live-soft);
    color: var(--live);
  }
  .who-text {
    min-width: 0;
    display: grid;
  }
  .name {
    display: flex;
    align-items: center;
    gap: 8px;
    font-weight: 550;
  }
  .sub {
    color: var(--ink-3);
    font-size: 12.5px;
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
  }
  .pill.small {
    height: 20px;
    padding: 0 8px;
    font-size: 11.5px;
    gap: 5px;
  }
  .pill.small .dot {
    width: 6px;
    height: 6px;
  }
  .started {
    color: var(--ink-2);
    font-size: 13.5px;
  }
  .fact {
    color: var(--ink-2);
  }
  .none {
    color: var(--ink-3);
  }
  .bad {
    color: var(--error);
    font-weight: 600;
  }
  .more {
    display: block;
    margin: 16px auto 0;
    height: 36px;
    padding: 0 18px;
    border: 1px solid var(--line-strong);
    border-radius: 18px;
    background: var(--surface);
    font-weight: 550;
  }
  .more:hover {
    border-color: var(--ink-3);
  }
  .fault {
    margin-bottom: 14px;
    padding: 10px 14px;
    border-radius: var(--radius);
    background: var(--warn-soft);
    color: var(--warn);
  }
  .nothing,
  .empty {
    background: var(--surface);
    border: 1px solid var(--line);
    border-radius: 12px;
    color: var(--ink-2);
    text-align: center;
  }
  .nothing {
    padding: 40px 20px;
  }
  .empty {
    max-width: 640px;
    margin: 48px auto;
    padding: 40px 24px;
    display: grid;
    justify-items: center;
    gap: 12px;
  }
  .empty h2 {
    margin: 0;
    font-size: 19px;
    font-weight: 650;
    color: var(--ink);
  }
  .empty p {
    margin: 0;
    max-width: 48ch;
  }
  .empty .or {
    margin-top: 14px;
    color: var(--ink-3);
    font-size: 13.5px;
  }
  .primary {
    display: inline-flex;
    align-items: center;
    gap: 7px;
    height: 40px;
    padding: 0 18px;
    margin-top: 6px;
    border-radius: 20px;
    background: var(--accent);
    color: var(--accent-ink);
    font-weight: 600;
    text-decoration: none;
  }
  .primary:hover {
    filter: brightness(1.08);
  }
  .snippet {
    display: flex;
    align-items: flex-start;
    width: 100%;
    border-radius: var(--radius);
    background: var(--sunken);
    text-align: left;
  }
  .snippet code {
    flex: 1;
    min-width: 0;
    padding: 12px 4px 12px 14px;
    overflow-wrap: anywhere;
    font-size: 12.5px;
    color: var(--ink);
  }
  .copy {
    flex: none;
    display: grid;
    place-items: center;
    width: 34px;
    height: 34px;
    margin: 5px;
    border: 0;
    border-radius: var(--radius-s);
    background: none;
    color: var(--ink-2);
  }
  .copy:hover {
    background: var(--line);
  }
  .bone {
    display: block;
    height: 60px;
  }
  .bone span {
    display: block;
    height: 14px;
    width: 40%;
    margin-top: 12px;
    border-radius: 7px;
    background: var(--sunken);
  }
  @media (max-width: 720px) {
    .page {
      padding: 18px 12px 40px;
    }
    .line.names {
      display: none;
    }
    .line {
      display: flex;
      flex-wrap: wrap;
      gap: 3px 12px;
      padding: 12px 14px 12px 62px;
    }
    .names + .line {
      border-top: 0;
    }
    .who {
      flex: 1 0 calc(100% + 48px);
      margin-left: -48px;
    }
    .line > .right,
    .started {
      font-size: 12.5px;
      text-align: left;
      white-space: nowrap;
      color: var(--ink-3);
    }
    .line > .fact::after {
      content: ' ' attr(data-label);
    }
    .line > .right.bad {
      color: var(--error);
    }
    .line > .none {
      display: none;
    }
  }
`;
