import { Judge, type LogReport, type VerifyOptions } from './judge.js';
import { scanLines } from './scan.js';

const PIECE_CHARS = 1 << 18;

/**
 * Checks an export of the log (`audit.export()`), line by line: that every entry is canonical (RFC 8785), stands in its
 * writer's chain without gap, and is covered by the signature of a key that the log's key certified; that every checkpoint has
 * the root of the Merkle tree over the entries before it (RFC 6962); and that the log says what the anchors say.
 * Memory grows with the number of writers, and of anchors, only.
 * What it cannot see: entries that no checkpoint of an anchor covers, cut off together with their signatures.
 * @throws TypeError for a verifier key that is none
 */
export async function verifyLog(
  lines: AsyncIterable<string> | Iterable<string>,
  options: VerifyOptions = {},
): Promise<LogReport> {
  const judge = new Judge(options);
  let piece = '';
  for await (const line of lines) {
    piece += `\n${line}`;
    if (piece.length < PIECE_CHARS) continue;
    judge.add(scanLines(Buffer.from(piece)));
    piece = '';
  }
  if (piece !== '') judge.add(scanLines(Buffer.from(piece)));
  return judge.report();
}
