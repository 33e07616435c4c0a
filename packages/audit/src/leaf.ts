import { hash } from 'node:crypto';

/** Where an entry stands in its writer's chain. */
export interface Place {
  /** Origin of the log. */
  readonly log: string;
  readonly writer: string;
  readonly number: number;
  /** Leaf hash of the entry before it, base64; of 32 zero bytes for the first. */
  readonly previous: string;
}

/** What stands before the first entry of a chain. */
export const BEFORE_FIRST = Buffer.alloc(32);

/** Length of `,"t":"2026-11-22T00:00:00.123Z"}`: drafts end with their time. */
const TIME_TAIL = 32;
/** Origins are names of C2SP notes: no spaces, no plus; and nothing that JSON would escape. */
const ORIGIN = /^[A-Za-z0-9._~/:@-]{1,200}$/;
const PLACE =
  /,"log":"([A-Za-z0-9._~/:@-]{1,200})","n":(0|[1-9]\d{0,15}),"p":"([A-Za-z0-9+/]{43}=)","t":"([0-9T:.-]{23}Z)","v":1,"w":"([\w-]{22})"\}$/;

export function isOrigin(text: string): boolean {
  return ORIGIN.test(text);
}

/**
 * Puts a draft in its place. The names of the place sort behind those of the draft but for the time, so that the canonical
 * text (RFC 8785) is made by joining, without a second walk through the entry.
 */
export function placed(draft: string, { log, writer, number, previous }: Place): string {
  const cut = draft.length - TIME_TAIL;
  return `${draft.slice(0, cut)},"log":"${log}","n":${number},"p":"${previous}"${draft.slice(cut, -1)},"v":1,"w":"${writer}"}`;
}

/** Reads the place of a stored entry from its end; undefined if it is no entry. */
export function placeOf(body: string): (Place & { readonly time: string }) | undefined {
  // The place has a bounded length; looking from the end spares the walk through the whole text.
  const match = PLACE.exec(body.length > 420 ? body.slice(-420) : body);
  if (!match) return undefined;
  const [, log, number, previous, time, writer] = match as unknown as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  return { log, writer, number: Number(number), previous, time };
}

/** RFC 6962 section 2.1: SHA-256 over 0x00 and the bytes of the entry. */
export function leafHash(body: string): Buffer {
  return hash('sha256', `\0${body}`, 'buffer');
}
