import { isAuthenticated, isSecurityError } from '@portcullis/core';
import type { Finding } from '@portcullis/validation';
import type { Request, Response } from 'express';
import type { House } from './house.js';
import { noticeOf } from './notices.js';
import { tokenField, type FieldErrors } from './views/forms.js';
import type { Html } from './views/html.js';
import { layout, type Script, type Viewer } from './views/layout.js';

export async function viewerOf({ people, rbac, registration }: House, req: Request): Promise<Viewer> {
  const { principal } = req.security;
  const mayRegister = registration !== 'off';
  if (!isAuthenticated(principal)) return { name: undefined, isStaff: false, mayRegister };
  const [person, isStaff] = await Promise.all([
    people.find(principal.id),
    rbac.can(principal, 'person:read'),
  ]);
  return { name: person?.email ?? principal.id, isStaff, mayRegister };
}

export interface PageParts {
  readonly title: string;
  /** A page with forms is given the hidden field that each of them needs. */
  readonly body: Html | ((formToken: Html) => Html);
  readonly status?: number;
  readonly done?: string | undefined;
  /** Address of a script of ours. */
  readonly script?: string;
}

export async function sendPage(house: House, req: Request, res: Response, page: PageParts): Promise<void> {
  const viewer = await viewerOf(house, req);
  const hasForms = viewer.name !== undefined || typeof page.body === 'function';
  // Only where there is a form: a token gives the browser a cookie.
  const formToken = hasForms ? tokenField(house.formToken.issue(req, res)) : undefined;
  const body = typeof page.body === 'function' ? page.body(formToken!) : page.body;
  res
    .status(page.status ?? 200)
    .type('html')
    .send(
      layout({
        title: page.title,
        viewer,
        notice: noticeOf(page.done),
        formToken,
        body,
        script: scriptOf(page, req.security.cspNonce),
      }),
    );
}

function scriptOf({ script }: PageParts, nonce: string | undefined): Script | undefined {
  return script === undefined ? undefined : { src: script, nonce: nonce ?? '' };
}

/** Findings of the validation by field, in words that help. */
export function fieldErrors(
  findings: readonly Finding[],
  hints: Readonly<Record<string, string>>,
): FieldErrors {
  const errors: Record<string, string> = {};
  for (const { pointer } of findings) {
    const name = pointer.split('/')[1] ?? '';
    // What the form has no field for cannot be shown beside one.
    if (Object.hasOwn(hints, name)) errors[name] ??= hints[name]!;
    else errors[''] ??= 'What was sent is not what this form asks for. Load the page again and fill it in.';
  }
  return errors;
}

/** What a form can say about a new password that is not acceptable. */
export function passwordProblem(error: unknown): FieldErrors | undefined {
  if (!isSecurityError(error) || error.code !== 'E_PASSWORD_POLICY') return undefined;
  const reasons = (error.problem['errors'] ?? []) as readonly { detail?: string; message?: string }[];
  const text = reasons.map(({ detail, message }) => detail ?? message ?? '').join(' ');
  return { password: text || error.message };
}

/** The texts of a form as typed, to show again what was refused. */
export function typed(body: unknown): Readonly<Record<string, string | undefined>> {
  if (typeof body !== 'object' || body === null) return {};
  return Object.fromEntries(
    Object.entries(body).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
