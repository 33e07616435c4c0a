import { Finding } from './file-view.js';

/** The path of an archive's entry must stay below wherever it is unpacked, on every system (zip slip). @throws Finding */
export function checkEntryName(name: string): void {
  const wrong =
    name === '' ||
    name.length > 1024 ||
    /^[/\\]|^[A-Za-z]:/.test(name) ||
    /[\p{Cc}\u202a-\u202e\u2066-\u2069\ufffd]/u.test(name) ||
    name.split(/[/\\]/).some((part) => /^\.\.[. ]*$/.test(part));
  if (wrong || name.includes('\\')) throw new Finding('content', 'entry-name');
}
