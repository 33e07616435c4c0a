import { escapeHtml } from '@portcullis/validation/encode';

/**
 * Markup that is safe to send. Made by the {@link html} tag only, which escapes every value for text and quoted
 * attribute values; a value that is itself Html is taken as it is. Write attributes in double quotes, and never put a
 * value inside `<script>`, `<style>` or an unquoted attribute: the library has no such place.
 */
export class Html {
  readonly #text: string;

  private constructor(text: string) {
    this.#text = text;
  }

  static of(strings: readonly string[], values: readonly HtmlValue[]): Html {
    let text = strings[0] ?? '';
    for (const [i, value] of values.entries()) text += render(value) + (strings[i + 1] ?? '');
    return new Html(text);
  }

  toString(): string {
    return this.#text;
  }
}

export type HtmlValue = Html | string | number | null | undefined | false | readonly HtmlValue[];

/** html`<p class="${name}">${text}</p>`: null, undefined and false render as nothing, arrays in order. */
export function html(strings: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return Html.of(strings, values);
}

function render(value: HtmlValue): string {
  if (value === null || value === undefined || value === false) return '';
  if (value instanceof Html) return value.toString();
  if (Array.isArray(value)) return (value as readonly HtmlValue[]).map(render).join('');
  return escapeHtml(String(value));
}
