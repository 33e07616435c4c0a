/** Names that Windows keeps for devices, with any extension. */
const RESERVED =
  /^(?:con|prn|aux|nul|conin\$|conout\$|com[0-9\u00b9\u00b2\u00b3]|lpt[0-9\u00b9\u00b2\u00b3])(?:\.|$)/i;
const MAX_LENGTH = 120;

/**
 * The name of an uploaded file for showing and for `Content-Disposition`; it is never used as a path. Folders are cut,
 * controls, invisible and direction-changing characters removed, and what Windows, shells or URLs would read differently
 * replaced. Always one to 120 characters.
 */
export function displayName(given: string): string {
  const base = given
    .toWellFormed()
    .normalize('NFC')
    .split(/[/\\\u2044\u2215\u29f8\uff0f\uff3c]/)
    .at(-1)!;
  const plain = base
    .replaceAll(/[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Zl}\p{Zp}\ufffd]/gu, '')
    .replaceAll(/[<>:"|?*;%`$&'{}]/g, '_')
    .replaceAll(/\p{Z}+/gu, ' ')
    // A leading dot hides, a leading dash is an option, trailing dots and spaces vanish on Windows.
    .replaceAll(/^[.\s~-]+|[.\s]+$/g, '');
  const short = shorten(plain);
  if (short === '') return 'file';
  return RESERVED.test(short) ? `_${short}` : short;
}

/** The last extension, lower-case; empty if there is none. */
export function extensionOf(name: string): string {
  return /\.([A-Za-z0-9]{1,16})$/.exec(name)?.[1]?.toLowerCase() ?? '';
}

/** Keeps the extension, and leaves no half of a character. */
function shorten(name: string): string {
  if (name.length <= MAX_LENGTH) return name;
  const extension = /\.[A-Za-z0-9]{1,16}$/.exec(name)?.[0] ?? '';
  const stem = name.slice(0, MAX_LENGTH - extension.length).toWellFormed();
  return stem.replaceAll('\ufffd', '').trim() + extension;
}
