/**
 * What is signed. The first line says what kind of statement it is, so that a signature of one kind can
 * never pass for another; no origin of a log is such a line.
 */

/** By the log's key: this Ed25519 key (raw, base64) speaks for this writer from entry 0. */
export function writerStatement(log: string, writer: string, publicKey: string): Buffer {
  return Buffer.from(`portcullis-audit writer v1\n${log}\n${writer}\n${publicKey}\n`);
}

/** By the writer's key: the entry of this number has this leaf hash (base64), and through the chain all before it. */
export function batchStatement(log: string, writer: string, number: number, head: string): Buffer {
  return Buffer.from(`portcullis-audit batch v1\n${log}\n${writer}\n${number}\n${head}\n`);
}

/**
 * By the log's key: the entries of these leaf indexes were removed; the tree up to there has this root (base64), and this is the hash (base64)
 * of what a verifier goes on from.
 */
export function pruneStatement(log: string, from: number, to: number, root: string, state: string): Buffer {
  return Buffer.from(`portcullis-audit prune v1\n${log}\n${from}\n${to}\n${root}\n${state}\n`);
}
