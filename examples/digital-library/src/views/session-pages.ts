import type { SessionInfo } from '@portcullis/auth';
import { accountMenu } from './account-menu.js';
import { html, type Html } from './html.js';

/** Where somebody is signed in, the place that they look from first. */
export function sessionList(
  formToken: Html,
  sessions: readonly SessionInfo[],
  current: string | undefined,
): Html {
  const own = sessions.filter(({ id }) => id === current);
  const others = sessions.filter(({ id }) => id !== current);
  return html`<h1>Where you are signed in</h1>
    ${accountMenu('/account/sessions')}
    <p>Is there a device that you do not know? End its session, and change your password.</p>
    <table>
      <caption>
        Your sessions
      </caption>
      <thead>
        <tr>
          <th scope="col">Device</th>
          <th scope="col">Address</th>
          <th scope="col">Signed in</th>
          <th scope="col">Last used</th>
          <th scope="col">Action</th>
        </tr>
      </thead>
      <tbody>
        ${[...own, ...others].map((session) => row(formToken, session, session.id === current))}
      </tbody>
    </table>
    ${
      others.length > 0 &&
      html`<form method="post" action="/account/sessions/end-others">
        ${formToken}
        <button type="submit">Sign out everywhere else</button>
      </form>`
    }`;
}

function row(formToken: Html, session: SessionInfo, isCurrent: boolean): Html {
  const device = deviceOf(session.userAgent);
  return html`<tr>
    <td>${device}</td>
    <td>${session.address ?? 'unknown'}</td>
    <td>${moment(session.createdAt)}</td>
    <td>${moment(session.lastUsedAt)}</td>
    <td>
      ${
        isCurrent
          ? html`This device`
          : html`<form method="post" action="/account/sessions/${session.id}/end" class="inline">
              ${formToken}
              <button type="submit" aria-label="End the session of ${device}, last used ${moment(session.lastUsedAt)}">
                End
              </button>
            </form>`
      }
    </td>
  </tr>`;
}

const BROWSERS = [
  ['Edg/', 'Edge'],
  ['OPR/', 'Opera'],
  ['Firefox/', 'Firefox'],
  ['Chrome/', 'Chrome'],
  ['Safari/', 'Safari'],
  ['curl/', 'curl'],
] as const;
const SYSTEMS = [
  ['Android', 'Android'],
  ['iPhone', 'iPhone'],
  ['iPad', 'iPad'],
  ['Windows', 'Windows'],
  ['Mac OS X', 'macOS'],
  ['Linux', 'Linux'],
] as const;

/** What people know of the many words that a browser says about itself. */
export function deviceOf(userAgent: string | undefined): string {
  if (userAgent === undefined) return 'An unknown device';
  const browser = BROWSERS.find(([mark]) => userAgent.includes(mark))?.[1];
  const system = SYSTEMS.find(([mark]) => userAgent.includes(mark))?.[1];
  if (browser === undefined) return userAgent.slice(0, 60);
  return system === undefined ? browser : `${browser} on ${system}`;
}

export function moment(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
