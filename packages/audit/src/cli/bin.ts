#!/usr/bin/env node
import { systemClock } from '@portcullis/core';
import { main } from './main.js';

const stop = new AbortController();
process.once('SIGINT', () => stop.abort());
process.once('SIGTERM', () => stop.abort());
// Whoever reads has seen enough, as in `portcullis-audit export | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});
const line = { out: process.stdout, err: process.stderr, now: () => systemClock.monotonic() };
void main(process.argv.slice(2), line, stop.signal).then((code) => (process.exitCode = code));
