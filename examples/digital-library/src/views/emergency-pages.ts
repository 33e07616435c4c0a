import { field, type FieldErrors } from './forms.js';
import { html, type Html } from './html.js';

export interface EmergencyForm {
  readonly reason?: string;
  readonly errors?: FieldErrors;
}

const MINUTES = [15, 30, 60];

/** @param until when the access that is in force ends */
export function emergencyPage(
  formToken: Html,
  until: number | undefined,
  { reason, errors }: EmergencyForm,
): Html {
  return html`<h1>Emergency access</h1>
    <p>
      Who had a book before is confidential. In an emergency you can see it for a while. The reason, and every
      list that you look at, stand in the audit log, and your colleagues review them.
    </p>
    ${until !== undefined && html`<p><strong>In force until ${new Date(until).toISOString().slice(11, 16)} UTC.</strong></p>`}
    <form method="post" action="/staff/emergency" class="stacked">
      ${formToken}
      ${field({ name: 'reason', label: 'Why', hint: 'At least ten characters: people will read it.', value: reason, maxLength: 1000 }, errors)}
      <fieldset>
        <legend>For how long</legend>
        ${MINUTES.map(
          (minutes) =>
            html`<label class="tick"
              ><input type="radio" name="minutes" value="${minutes}" required /> ${minutes} minutes</label
            >`,
        )}
      </fieldset>
      <button type="submit">Break the glass</button>
    </form>`;
}
