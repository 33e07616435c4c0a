import { hash } from 'node:crypto';
import { option, readOptions } from '@portcullis/core';
import { parseNote, parseVerifierKey, signedBy, type NoteKey } from '../note.js';
import type { Checkpoint } from '../checkpoint.js';
import type { Anchor, AnchoredLog } from './anchor.js';
import { AnswerError, request, urlOption } from './http.js';

export interface WitnessAnchorOptions {
  /** Where the witness is mounted. https; http for loopback only. */
  readonly url: string;
  /** The witness's verifier key (cosignature, C2SP). */
  readonly verifierKey: string;
}

/** The witness has seen more than the log has now: the log was set back. */
class AheadError extends Error {
  override readonly name = 'AheadError';
  readonly code = 'ahead';
}

/** Has checkpoints cosigned by a witness, such as `createWitness()` of another service. @throws OptionError @see https://c2sp.org/tlog-witness */
export function witnessAnchor(options: WitnessAnchorOptions): Anchor {
  const { url, verifierKey } = readOptions('witnessAnchor', options, {
    url: urlOption,
    verifierKey: option.string({ max: 400 }),
  });
  const key = parseVerifierKey(verifierKey, 'cosignature');
  let known = 0;
  return Object.freeze<Anchor>({
    name: `witness ${key.name}`,
    async publish(checkpoint, log) {
      known = await cosign(url, key, checkpoint, log, known);
    },
    async latest(log) {
      const answer = await request(`${url}/${hash('sha256', log)}/checkpoint`, { method: 'GET' });
      if (answer.status === 404) return undefined;
      if (!answer.ok) throw new AnswerError(answer.status);
      return answer.text();
    },
  });
}

/** Resolves to the size that the witness knows now. */
async function cosign(
  url: string,
  key: NoteKey,
  checkpoint: Checkpoint,
  log: AnchoredLog,
  known: number,
): Promise<number> {
  let old = known;
  for (let attempt = 0; ; attempt++) {
    const proof = old === 0 || old >= checkpoint.size ? [] : await log.consistency(old, checkpoint.size);
    const lines = [`old ${old}`, ...proof.map((one) => one.toString('base64')), '', checkpoint.note];
    const answer = await request(`${url}/add-checkpoint`, { method: 'POST', body: lines.join('\n') });
    const text = await answer.text();
    if (answer.status === 200) {
      if (signedBy(parseNote(checkpoint.note + text), key) !== 'yes') throw new AnswerError(200);
      return checkpoint.size;
    }
    if (answer.status !== 409 || attempt > 2) throw new AnswerError(answer.status);
    old = Number(text);
    if (!Number.isSafeInteger(old)) throw new AnswerError(409);
    // Another process of this log was faster, or the log was set back: its own checks tell.
    if (old > checkpoint.size) throw new AheadError('The witness has seen a larger log.');
  }
}
