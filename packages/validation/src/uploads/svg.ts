import { Finding } from './file-view.js';
import type { Picture } from './images.js';
import { isPlainText } from './text-kinds.js';

const words = (text: string): ReadonlySet<string> => new Set(text.split(' '));

/** Shapes, paint and text. No script, style sheet, link, animation, foreign content, or reference that multiplies (`use`). */
const ELEMENTS = words(
  'svg g defs title desc metadata path rect circle ellipse line polyline polygon text tspan linearGradient radialGradient stop ' +
    'clipPath mask pattern symbol marker switch',
);
const ATTRIBUTES = words(
  'xmlns version id class viewBox width height x y x1 y1 x2 y2 cx cy r rx ry fx fy fr dx dy d points transform fill fill-opacity ' +
    'fill-rule stroke stroke-width stroke-opacity stroke-linecap stroke-linejoin stroke-miterlimit stroke-dasharray ' +
    'stroke-dashoffset opacity color display visibility overflow clip-path clip-rule clipPathUnits mask maskUnits ' +
    'maskContentUnits patternUnits patternContentUnits patternTransform gradientUnits gradientTransform spreadMethod offset ' +
    'stop-color stop-opacity font-family font-size font-weight font-style text-anchor letter-spacing word-spacing ' +
    'dominant-baseline text-decoration textLength lengthAdjust rotate markerWidth markerHeight markerUnits refX refY orient ' +
    'marker-start marker-mid marker-end preserveAspectRatio role aria-hidden aria-label aria-labelledby focusable tabindex ' +
    'shape-rendering text-rendering color-interpolation vector-effect paint-order enable-background xml:space xml:lang lang ' +
    'xmlns:svg xmlns:xlink',
);

const MAX_ELEMENTS = 20_000;
const MAX_DEPTH = 64;
const TOKEN =
  /<!--[^]*?-->|<\?xml[ \t\r\n][^?>]*\?>|<(\/?)([A-Za-z][\w.:-]*)((?:[ \t\r\n]+[A-Za-z_][\w.:-]*[ \t\r\n]*=[ \t\r\n]*(?:"[^"<]*"|'[^'<]*'))*)[ \t\r\n]*(\/?)>|[^<]+/y;
const ATTRIBUTE = /([A-Za-z_][\w.:-]*)[ \t\r\n]*=[ \t\r\n]*(?:"([^"<]*)"|'([^'<]*)')/g;

/**
 * Lets only pictures through: listed elements and attributes, no entities, no document type, references to places in the same
 * file only. Everything that is not understood is refused.
 * @throws Finding
 */
export function checkSvg(text: string): Picture {
  if (!isPlainText(text)) throw new Finding('content', 'encoding');
  const open: string[] = [];
  let [at, elements] = [text.startsWith('\ufeff') ? 1 : 0, 0];
  let root: ReadonlyMap<string, string> | undefined;
  while (at < text.length) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    if (!match) throw new Finding('content', 'markup');
    at = TOKEN.lastIndex;
    const [token, closing, name, attributes = '', empty] = match;
    if (name === undefined) {
      checkText(token, open.length);
      continue;
    }
    if (closing) {
      if (open.pop() !== name || attributes !== '' || empty) throw new Finding('content', 'markup');
      continue;
    }
    if (!ELEMENTS.has(name) || ++elements > MAX_ELEMENTS) throw new Finding('content', 'active');
    if (open.length >= MAX_DEPTH || (open.length === 0 && (root || name !== 'svg')))
      throw new Finding('content', 'markup');
    const given = readAttributes(attributes);
    root ??= given;
    if (!empty) open.push(name);
  }
  if (open.length > 0 || !root) throw new Finding('content', 'markup');
  return { ...sizeOf(root), frames: 1 };
}

/** Predefined entities and numbers only; outside of the root nothing but space, comments and the declaration. */
function checkText(token: string, depth: number): void {
  if (token.startsWith('<')) return;
  if (depth === 0 && token.trim() !== '') throw new Finding('content', 'markup');
  if (/&(?!(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9a-fA-F]{1,6});)/.test(token))
    throw new Finding('content', 'entity');
}

function readAttributes(text: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [, name = '', double, single] of text.matchAll(ATTRIBUTE)) {
    const value = double ?? single ?? '';
    if (found.has(name)) throw new Finding('content', 'markup');
    if (!ATTRIBUTES.has(name) && !name.startsWith('data-')) throw new Finding('content', 'active');
    checkText(value, 1);
    checkValue(decode(value));
    found.set(name, value);
  }
  return found;
}

/** `url(#here)` is a place in the same file; every other reference loads something. */
function checkValue(value: string): void {
  if (
    /(?:javascript|vbscript|data|file|ftp)\s*:|expression\s*\(|@import|-moz-binding/i.test(value) ||
    value.includes('\\')
  ) {
    throw new Finding('content', 'active');
  }
  const references = value.match(/url\s*\(/gi)?.length ?? 0;
  const local = value.match(/url\(\s*['"]?#[\w.:-]+['"]?\s*\)/gi)?.length ?? 0;
  if (references !== local) throw new Finding('content', 'reference');
}

function decode(value: string): string {
  return value.replaceAll(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (_all, decimal?: string, hex?: string) => {
    const code = decimal ? Number(decimal) : hex ? Number.parseInt(hex, 16) : 0x20;
    return code <= 0x10_ff_ff ? String.fromCodePoint(code) : ' ';
  });
}

/** Pixels at its natural size; 300 by 150 where it says none, as browsers take it. */
function sizeOf(root: ReadonlyMap<string, string>): { readonly width: number; readonly height: number } {
  const box = (root.get('viewBox') ?? '')
    .trim()
    .split(/[\s,]+/)
    .map(Number);
  const length = (name: 'width' | 'height', fallback: number): number => {
    const match = /^\s*(\d+(?:\.\d+)?(?:e\d+)?)\s*(px|pt|pc|mm|cm|in|em|ex)?\s*$/i.exec(root.get(name) ?? '');
    return match ? Number(match[1]) * (UNITS[(match[2] ?? 'px').toLowerCase()] ?? 1) : fallback;
  };
  return { width: length('width', box[2] || 300), height: length('height', box[3] || 150) };
}

const UNITS: Readonly<Record<string, number>> = {
  px: 1,
  pt: 1.34,
  pc: 16,
  mm: 3.78,
  cm: 37.8,
  in: 96,
  em: 16,
  ex: 8,
};
