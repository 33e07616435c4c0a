import { displayName } from './names.js';

export interface Download {
  /** Shown to the person who saves it; made safe once more. */
  readonly name: string;
  /** Media type as it was found, such as `ReceivedFile.type`. */
  readonly type: string;
  readonly size?: number;
  /**
   * Show it in the page instead of saving it. Only images without scripts, audio and video are; everything else is saved
   * all the same.
   * @default false
   */
  readonly inline?: boolean;
}

/** What a browser shows without running anything of it. */
const SHOWN: ReadonlySet<string> = new Set([
  ...[
    'image/png',
    'image/jpeg',
    'image/gif',
    'image/webp',
    'image/avif',
    'image/bmp',
    'image/heic',
    'image/jxl',
  ],
  ...['audio/mpeg', 'audio/ogg', 'audio/wav', 'audio/flac', 'audio/aac', 'audio/mp4', 'audio/webm'],
  ...['video/mp4', 'video/webm', 'video/ogg', 'video/quicktime'],
]);

/**
 * The header fields for handing out a file that somebody uploaded: its type and no guessing, its name encoded (RFC 6266, RFC
 * 8187), saved rather than shown, and, where it is shown, in a sandbox without scripts, forms and an origin.
 * @see OWASP ASVS 5.0 V5.4.1, V5.4.2
 */
export function downloadHeaders({ name, type, size, inline = false }: Download): Record<string, string> {
  const safeType = /^[a-z0-9][a-z0-9.+-]*\/[a-z0-9][a-z0-9.+-]*$/.test(type)
    ? type
    : 'application/octet-stream';
  const shown = inline && SHOWN.has(safeType);
  // A type that runs is handed out as bytes: "nosniff" makes it a download everywhere.
  const runs = /^(?:text\/(?!plain|csv|markdown)|.*(?:xml|html|script|flash|java))/.test(safeType);
  return {
    'Content-Type': runs ? 'application/octet-stream' : safeType,
    'Content-Disposition': contentDisposition(shown ? 'inline' : 'attachment', name),
    'X-Content-Type-Options': 'nosniff',
    'Content-Security-Policy': "default-src 'none'; sandbox; frame-ancestors 'none'",
    'Cross-Origin-Resource-Policy': 'same-origin',
    ...(size === undefined ? {} : { 'Content-Length': String(size) }),
  };
}

/** `attachment; filename="plain.txt"; filename*=UTF-8''...`: the first for old clients, the second where it differs. */
export function contentDisposition(kind: 'inline' | 'attachment', given: string): string {
  const name = displayName(given);
  const plain = name
    .normalize('NFKD')
    .replaceAll(/\p{Mark}/gu, '')
    .replaceAll(/[^\x20-\x7e]|["\\]/g, '_');
  const field = `${kind}; filename="${plain}"`;
  return plain === name ? field : `${field}; filename*=UTF-8''${encode(name)}`;
}

/** attr-char of RFC 8187: `encodeURIComponent` leaves four characters that are none. */
function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /['()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
