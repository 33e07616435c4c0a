import { isSecurityError } from '@portcullis/core';
import type { Finding } from '@portcullis/validation';
import type { Request, RequestHandler, Response } from 'express';
import type { House } from './house.js';
import { fieldErrors, sendPage, typed, type PageParts } from './pages.js';
import type { FieldErrors } from './views/forms.js';

/** What was typed, or stands in the address where {@link Form.fromAddress} names it. */
export type Values = Readonly<Record<string, string | undefined>>;

export interface FormRefusal {
  readonly status: number;
  readonly errors: FieldErrors;
}

/** A page with a form: shown; sent, and done or shown again with what was wrong. */
export interface Form<T> {
  readonly title: string;
  readonly script?: string;
  readonly validator: {
    check(
      input: unknown,
    ):
      | { readonly valid: true; readonly value: T }
      | { readonly valid: false; readonly errors: readonly Finding[] };
  };
  /** What to type, by field. */
  readonly hints: Readonly<Record<string, string>>;
  /** Members of the address that the page takes over, such as the token of a link. Nothing else of it fills a form in. */
  readonly fromAddress?: readonly string[];
  page(req: Request, values: Values, errors: FieldErrors): PageParts['body'] | Promise<PageParts['body']>;
  /** Does it and answers; or returns why not. */
  submit(given: T, req: Request, res: Response): Promise<FormRefusal | undefined>;
  /** By code, what the page says when it is refused; everything else is no fault of the form. */
  readonly refusals: Readonly<Record<string, FormRefusal | ((error: unknown) => FormRefusal)>>;
}

export function showForm<T>(house: House, form: Form<T>): RequestHandler {
  return async (req, res) => {
    const address = typed(req.query);
    const taken = (form.fromAddress ?? []).map((name) => [name, address[name]] as const);
    const body = await form.page(req, Object.fromEntries(taken), {});
    const { title } = form;
    await sendPage(house, req, res, { title, body, done: address['done'], ...scriptOf(form) });
  };
}

export function takeForm<T>(house: House, form: Form<T>): RequestHandler {
  return async (req, res) => {
    const refuse = async ({ status, errors }: FormRefusal): Promise<void> => {
      const body = await form.page(req, typed(req.body), errors);
      await sendPage(house, req, res, { title: form.title, status, body, ...scriptOf(form) });
    };
    const given = form.validator.check(req.body);
    if (!given.valid) return refuse({ status: 400, errors: fieldErrors(given.errors, form.hints) });
    try {
      const refusal = await form.submit(given.value, req, res);
      if (refusal) await refuse(refusal);
    } catch (error) {
      const refusal = isSecurityError(error) ? form.refusals[error.code] : undefined;
      if (refusal === undefined) throw error;
      await refuse(typeof refusal === 'function' ? refusal(error) : refusal);
    }
  };
}

function scriptOf({ script }: { readonly script?: string }) {
  return script === undefined ? {} : { script };
}
