import encodeQr from 'qr';
import { html, type Html } from './html.js';

/** A text for a camera, drawn into the page: no request leaves for it, and no style stands in it. `label` says what it is. */
export function qrCode(text: string, label: string): Html {
  const rows = encodeQr(text, 'raw', { border: 4 });
  const dark = rows.flatMap((row, y) => row.flatMap((isDark, x) => (isDark ? [`M${x} ${y}h1v1h-1z`] : [])));
  const size = rows.length;
  return html`<svg class="qr" role="img" aria-label="${label}" viewBox="0 0 ${size} ${size}">
    <path d="${dark.join('')}" />
  </svg>`;
}
