import type { TemplateResult } from 'lit';
import { html, svg } from 'lit';

const PATHS = {
  play: svg`<path d="M8 5.2v13.6c0 .8.9 1.3 1.6.8l10-6.8c.6-.4.6-1.2 0-1.6l-10-6.8c-.7-.5-1.6 0-1.6.8z" fill="currentColor" stroke="none"/>`,
  pause: svg`<rect x="6.5" y="5" width="3.8" height="14" rx="1.2" fill="currentColor" stroke="none"/><rect x="13.7" y="5" width="3.8" height="14" rx="1.2" fill="currentColor" stroke="none"/>`,
  again: svg`<path d="M5 12a7 7 0 1 0 2.2-5.1"/><path d="M4.5 4.5v4h4"/>`,
  back: svg`<path d="M12 5a7.5 7.5 0 1 1-7.2 5.4"/><path d="M12.5 2 9 5l3.5 3"/><text x="12" y="15.6" text-anchor="middle" font-size="7.5" font-weight="700" fill="currentColor" stroke="none">10</text>`,
  forward: svg`<path d="M12 5a7.5 7.5 0 1 0 7.2 5.4"/><path d="M11.5 2 15 5l-3.5 3"/><text x="12" y="15.6" text-anchor="middle" font-size="7.5" font-weight="700" fill="currentColor" stroke="none">10</text>`,
  skip: svg`<path d="M4 6.5v11l7-5.5zM12.5 6.5v11l7-5.5z" fill="currentColor"/><path d="M20.5 6v12"/>`,
  full: svg`<path d="M4 9V5.5A1.5 1.5 0 0 1 5.500 4H9M15 4h3.500A1.5 1.5 0 0 1 20 5.500V9M20 15v3.500a1.500 1.500 0 0 1-1.500 1.500H15M9 20H5.500A1.500 1.500 0 0 1 4 18.500V15"/>`,
  live: svg`<circle cx="12" cy="12" r="3.2" fill="currentColor" stroke="none"/><path d="M7.200 16.800a6.800 6.800 0 0 1 0-9.600M16.800 7.200a6.800 6.800 0 0 1 0 9.600"/>`,
  web: svg`<rect x="3.500" y="4.500" width="17" height="15" rx="2.500"/><path d="M3.500 9h17M6.500 6.800h.01M9 6.800h.01"/>`,
  phone: svg`<rect x="7" y="3" width="10" height="18" rx="2.500"/><path d="M11 18h2"/>`,
  import: svg`<path d="M12 4v10M8 10.500l4 4 4-4M4.500 16v2.500A1.500 1.500 0 0 0 6 20h12a1.500 1.500 0 0 0 1.500-1.500V16"/>`,
  copy: svg`<rect x="8.500" y="8.500" width="11" height="11" rx="2"/><path d="M15.500 8.500v-2a2 2 0 0 0-2-2h-7a2 2 0 0 0-2 2v7a2 2 0 0 0 2 2h2"/>`,
  check: svg`<path d="m5 12.500 4.500 4.500L19 7.500"/>`,
  outside: svg`<path d="M14 5h5v5M19 5l-8 8M17 14v3.500a1.500 1.500 0 0 1-1.500 1.500h-9A1.500 1.500 0 0 1 5 17.500v-9A1.500 1.500 0 0 1 6.500 7H10"/>`,
  left: svg`<path d="m14.500 6-6 6 6 6"/>`,
  click: svg`<path d="m10 10 9.500 3.800-4 1.700-1.700 4z"/><path d="M5.500 9.500H4M9.500 5.500V4M6.600 6.600 5.500 5.500"/>`,
  navigation: svg`<circle cx="12" cy="12" r="8"/><path d="M4 12h16M12 4c2.500 2.300 3.500 5 3.500 8s-1 5.700-3.500 8c-2.500-2.300-3.500-5-3.500-8s1-5.700 3.500-8z"/>`,
  error: svg`<path d="M12 4.500 20.500 19h-17z"/><path d="M12 10v4M12 16.500h.01"/>`,
  input: svg`<rect x="3.500" y="7" width="17" height="10" rx="2"/><path d="M7 10v4M6 10h2M6 14h2"/>`,
  gap: svg`<path d="M4 7v10M20 7v10M4 12h4M16 12h4"/><path d="m10.500 15.500 3-7"/>`,
  note: svg`<circle cx="12" cy="12" r="3.500"/>`,
} as const;

export type IconName = keyof typeof PATHS;

/** An icon of 24×24 units, drawn in the text's colour; for people who look, not for those who listen. */
export function icon(name: IconName, size = 20): TemplateResult {
  return html`<svg
    width=${size}
    height=${size}
    viewBox="0 0 24 24"
    fill="none"
    stroke="currentColor"
    stroke-width="1.7"
    stroke-linecap="round"
    stroke-linejoin="round"
    aria-hidden="true"
  >
    ${PATHS[name]}
  </svg>`;
}
