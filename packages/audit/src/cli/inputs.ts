import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Audit } from '../create-audit.js';
import { folderSource } from '../file/folder-source.js';
import { readCheckpointLine } from '../log/lines.js';
import { UsageError } from './console.js';

/** A verifier key as text, or a file that holds one. */
export async function readKey(given: string): Promise<string> {
  return given.includes('+') ? given : (await readFile(given, 'utf8')).trim();
}

/** Notes of an anchor: a file of `fileAnchor()`, or one signed note as a witness gives it. */
export async function readAnchors(paths: readonly string[]): Promise<string[]> {
  const texts = await Promise.all(paths.map((path) => readFile(path, 'utf8')));
  return texts.flatMap((text) =>
    text.startsWith('{') ? text.split('\n').flatMap((line) => readCheckpointLine(line) ?? []) : [text],
  );
}

export async function isFolder(path: string): Promise<boolean> {
  return path !== '-' && (await stat(path)).isDirectory();
}

/** 0 for standard input. */
export async function sizeOf(path: string): Promise<number> {
  if (path === '-') return 0;
  return (await isFolder(path)) ? (await folderSource(path)).bytes : (await stat(path)).size;
}

/** The `audit` (or default) export of a module of the app. */
export async function loadAudit(path: string): Promise<Audit> {
  const module = (await import(pathToFileURL(resolve(path)).href)) as { audit?: Audit; default?: Audit };
  const audit = module.audit ?? module.default;
  if (typeof audit?.export !== 'function') {
    throw new UsageError(`${path} has no export named audit, as createAudit() makes it.`);
  }
  return audit;
}
