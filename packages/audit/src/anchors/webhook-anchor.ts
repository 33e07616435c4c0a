import { option, readOptions, type Secret } from '@portcullis/core';
import type { Anchor } from './anchor.js';
import { AnswerError, request, urlOption } from './http.js';

export interface WebhookAnchorOptions {
  /** https; http for loopback only. */
  readonly url: string;
  /** Sent as `Authorization`, such as `Bearer ...`. @default none */
  readonly authorization?: string | Secret<string>;
}

/** POSTs checkpoints (signed notes, `text/plain`) to a URL; any 2xx means kept. Redirects are not followed. @throws OptionError */
export function webhookAnchor(options: WebhookAnchorOptions): Anchor {
  const { url, authorization } = readOptions('webhookAnchor', options, {
    url: urlOption,
    authorization: option.optional(option.secret({ minBytes: 1 })),
  });
  return Object.freeze<Anchor>({
    name: 'webhook',
    async publish({ note }) {
      const headers = {
        'content-type': 'text/plain; charset=utf-8',
        ...(authorization ? { authorization: authorization.reveal() } : {}),
      };
      const answer = await request(url, { method: 'POST', headers, body: note });
      await answer.body?.cancel();
      if (!answer.ok) throw new AnswerError(answer.status);
    },
  });
}
