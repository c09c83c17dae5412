import { css, unsafeCSS } from 'lit';
import rrwebStyles from 'rrweb/dist/style.css?inline';
import { pill, tokens } from '../style/tokens.ts';

export const playerStyles = [
  tokens,
  pill,
  unsafeCSS(rrwebStyles),
  css`
    :host {
      display: flex;
      flex-direction: column;
      min-height: 320px;
      overflow: hidden;
      background: var(--surface);
      color-scheme: inherit;
      container: player / inline-size;
    }
    :host(:fullscreen) {
      width: 100vw;
      height: 100vh;
      border-radius: 0;
    }
    .top {
      display: flex;
      align-items: center;
      gap: 10px;
      padding: 8px 12px;
      border-bottom: 1px solid var(--line);
      min-height: 46px;
    }
    .address {
      flex: 1;
      min-width: 0;
      height: 28px;
      padding: 0 12px;
      display: flex;
      align-items: center;
      border-radius: 14px;
      background: var(--sunken);
      color: var(--ink-2);
      font-size: 12.5px;
    }
    .address span {
      overflow: hidden;
      text-overflow: ellipsis;
      white-space: nowrap;
    }
    .spring {
      flex: 1;
    }
    .stages {
      position: relative;
      flex: 1;
      min-height: 0;
      overflow: hidden;
      background: var(--sunken);
    }
    .stage {
      position: absolute;
      inset: 12px;
      visibility: hidden;
      overflow: hidden;
    }
    .stage.active {
      visibility: visible;
    }
    .dom-root {
      position: absolute;
      top: 0;
      left: 0;
      transform-origin: 0 0;
      background: #fff;
      border-radius: 4px;
      overflow: hidden;
      box-shadow: 0 0 0 1px light-dark(rgb(20 20 40 / 8%), rgb(255 255 255 / 8%));
    }
    .dom-root iframe {
      border: 0;
      background: #fff;
      color-scheme: light;
    }
    /* An arrow that is seen on any page; a ring where it clicks. */
    .replayer-mouse {
      z-index: 2;
      width: 22px;
      height: 22px;
      background-image: url("data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 22 22'%3E%3Cpath d='M1 1v15.200l3.900-3.700 2.700 6.300 2.900-1.200-2.700-6.200h5.500z' fill='%23111' stroke='%23fff' stroke-width='1.400' stroke-linejoin='round'/%3E%3C/svg%3E");
    }
    .replayer-mouse.touch-device {
      background-image: none;
      width: 70px;
      height: 70px;
    }
    .replayer-mouse::after {
      position: absolute;
      left: 0;
      top: 0;
      width: 36px;
      height: 36px;
      background: none;
      border: 3px solid #5151cd;
      opacity: 0;
    }
    .replayer-mouse.active::after {
      animation: click-ring 0.5s ease-out 1;
    }
    @keyframes click-ring {
      from {
        opacity: 1;
        transform: translate(-50%, -50%) scale(0.3);
      }
      to {
        opacity: 0;
        transform: translate(-50%, -50%) scale(1);
      }
    }
    .image-stage {
      display: grid;
      place-items: center;
    }
    .image-stage canvas {
      min-width: 0;
      min-height: 0;
      max-width: 100%;
      max-height: 100%;
      border-radius: 14px;
      box-shadow: 0 0 0 1px light-dark(rgb(20 20 40 / 10%), rgb(255 255 255 / 12%));
    }
    .veil {
      position: absolute;
      inset: 0;
      display: grid;
      place-content: center;
      justify-items: center;
      gap: 6px;
      padding: 24px;
      text-align: center;
      color: var(--ink-2);
    }
    .veil h2 {
      margin: 0;
      font-size: 17px;
      font-weight: 600;
      color: var(--ink);
    }
    .veil p {
      margin: 0;
      max-width: 42ch;
    }
    /* Over the last picture, which is from before; a picture that would be wrong is not seen at all. */
    .veil.gap {
      --stripe: color-mix(in srgb, var(--warn) 22%, transparent);
      background: repeating-linear-gradient(135deg, var(--stripe) 0 2px, transparent 2px 16px), color-mix(in srgb, var(--sunken) 42%, transparent);
    }
    .veil.gap.away {
      --stripe: color-mix(in srgb, var(--ink-3) 22%, transparent);
    }
    .veil.gap.blind {
      background: repeating-linear-gradient(135deg, var(--stripe) 0 2px, transparent 2px 16px), var(--sunken);
    }
    /* Over a picture of another moment. */
    .veil.waiting {
      background: color-mix(in srgb, var(--sunken) 88%, transparent);
      color: var(--ink);
    }
    .veil .card {
      padding: 14px 20px 15px;
      border-radius: var(--radius);
      background: var(--raised);
      box-shadow: var(--shadow);
    }
    .spinner {
      width: 22px;
      height: 22px;
      margin-bottom: 6px;
      border: 2.5px solid var(--line-strong);
      border-top-color: var(--accent);
      border-radius: 50%;
      animation: spin 0.9s linear infinite;
    }
    @keyframes spin {
      to {
        transform: rotate(1turn);
      }
    }
    .notice {
      padding: 6px 14px;
      background: var(--warn-soft);
      color: var(--warn);
      font-size: 12.5px;
    }
    .controls {
      padding: 4px 12px 10px;
      border-top: 1px solid var(--line);
    }
    .row {
      display: flex;
      align-items: center;
      gap: 4px;
    }
    .time {
      margin: 0 8px 0 6px;
      white-space: nowrap;
      color: var(--ink-3);
      font-size: 13px;
    }
    .time b {
      font-weight: 550;
      color: var(--ink);
    }
    .icon-button {
      display: inline-grid;
      place-items: center;
      width: 36px;
      height: 36px;
      padding: 0;
      border: 0;
      border-radius: var(--radius-s);
      background: none;
      color: var(--ink-2);
    }
    .icon-button:hover:enabled {
      background: var(--sunken);
      color: var(--ink);
    }
    .icon-button:disabled {
      opacity: 0.4;
      cursor: default;
    }
    .icon-button.play {
      flex: none;
      width: 40px;
      height: 40px;
      border-radius: 50%;
      background: var(--ink);
      color: var(--surface);
      margin-right: 4px;
    }
    .icon-button.play:hover:enabled {
      background: var(--ink-2);
      color: var(--surface);
    }
    .toggle[aria-pressed='true'] {
      background: var(--accent-soft);
      color: var(--accent);
    }
    .choice {
      height: 32px;
      padding: 0 8px;
      border: 1px solid var(--line);
      border-radius: var(--radius-s);
      background: var(--surface);
      color: var(--ink-2);
      font-size: 13px;
      cursor: pointer;
      max-width: 130px;
    }
    .choice:hover {
      border-color: var(--line-strong);
    }
    .go-live {
      display: inline-flex;
      align-items: center;
      gap: 6px;
      height: 32px;
      padding: 0 12px 0 9px;
      margin-right: 6px;
      border: 0;
      border-radius: 16px;
      background: var(--live);
      color: light-dark(#fff, #06170e);
      font-size: 13px;
      font-weight: 600;
      white-space: nowrap;
    }
    .go-live:hover {
      filter: brightness(1.08);
    }
    @container player (max-width: 560px) {
      .stage {
        inset: 6px;
      }
      .top {
        padding: 6px 10px;
      }
      .controls {
        padding: 2px 10px 8px;
      }
      .row {
        gap: 0;
        justify-content: space-between;
      }
      .time {
        margin: 0 2px;
        font-size: 12.5px;
      }
      .address {
        font-size: 12px;
        padding: 0 10px;
      }
      .spring {
        display: none;
      }
      .go-live {
        margin-right: 0;
        padding: 0 10px;
      }
      .go-live svg {
        display: none;
      }
      .choice {
        padding: 0 3px;
      }
      .icon-button.fullscreen {
        display: none;
      }
    }
  `,
];
