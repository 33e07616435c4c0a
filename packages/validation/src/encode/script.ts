/**
 * Text inside of a JavaScript string in any quotes, template literals included; in a script element as well as, once
 * escaped for the attribute too, in an event handler. A value of another kind goes through {@link jsonForScript}.
 * @see OWASP ASVS 5.0 V1.2.3
 */
export function escapeJs(text: string): string {
  return text.replace(/[^A-Za-z0-9 ,._]/g, (unit) => {
    const code = unit.charCodeAt(0);
    const hex = code.toString(16);
    return code < 0x100 ? `\\x${hex.padStart(2, '0')}` : `\\u${hex.padStart(4, '0')}`;
  });
}

/**
 * A value as JSON that can stand in a script element, be it JavaScript or `type="application/json"`: it never closes the
 * element, opens a comment or breaks a line.
 * @throws TypeError for what JSON cannot hold
 */
export function jsonForScript(value: unknown): string {
  const json = JSON.stringify(value) as string | undefined;
  if (json === undefined)
    throw new TypeError('jsonForScript(): a function, symbol or undefined is no JSON value.');
  return json.replace(
    /[<>&\u2028\u2029]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
