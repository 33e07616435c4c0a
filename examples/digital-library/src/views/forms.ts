import { html, type Html } from './html.js';

/** What went wrong with one field, or with the whole form under the name `''`. */
export type FieldErrors = Readonly<Record<string, string>>;

export interface Field {
  readonly name: string;
  /** Where a page has two fields of one name. @default the name */
  readonly id?: string;
  readonly label: string;
  readonly type?: 'text' | 'email' | 'password' | 'number' | 'search';
  readonly value?: string | undefined;
  readonly hint?: string;
  readonly autocomplete?: string;
  readonly required?: boolean;
  readonly maxLength?: number;
}

/** A labelled input with its hint and its error, tied together for screen readers. */
export function field(input: Field, errors: FieldErrors = {}): Html {
  const {
    name,
    id = name,
    label,
    type = 'text',
    value = '',
    hint,
    autocomplete,
    required = true,
    maxLength,
  } = input;
  const error = errors[name];
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(' ');
  return html`<div class="field">
    <label for="${id}">${label}</label>
    ${hint && html`<p class="hint" id="${id}-hint">${hint}</p>`}
    <input
      id="${id}"
      name="${name}"
      type="${type}"
      value="${type === 'password' ? '' : value}"
      autocomplete="${autocomplete ?? 'off'}"
      aria-describedby="${described}"
      ${error ? html`aria-invalid="true"` : ''}
      ${required ? html`required` : ''}
      ${maxLength !== undefined && html`maxlength="${maxLength}"`}
    />
    ${error && html`<p class="error" id="${id}-error">${error}</p>`}
  </div>`;
}

/** The form's own problem, at its top. */
export function formError(errors: FieldErrors): Html | undefined {
  const problem = errors[''];
  return problem === undefined ? undefined : html`<p class="error" role="alert">${problem}</p>`;
}

/** What proves that a form is of our own page, where the browser does not say so itself. */
export function tokenField(token: string): Html {
  return html`<input type="hidden" name="_csrf" value="${token}" />`;
}
