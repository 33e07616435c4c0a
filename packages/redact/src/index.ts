export { createRedactor, type RedactLimits, type Redactor, type RedactorOptions } from './redactor.js';
export { escapeControls } from './text/decode.js';
export type { ValueRule } from './text/scan.js';
export type { Finding } from './run.js';
export { errors as redactErrors } from './error-codes.js';
export type { SecurityContext } from '@portcullis/core';
