import loadSanitizeHtml from '#peers/sanitize-html';
import { missingPeer } from '@portcullis/core';
import {
  createSanitizerWith,
  type HtmlSanitizer,
  type HtmlSanitizerOptions,
} from './html/create-html-sanitizer.js';

/**
 * HTML that people write, made harmless by sanitize-html within narrow limits, and looked at again by a check of our own: what does
 * not have the one form that is written here is shown as text. For stored texts, sanitise what is shown and keep what was
 * written.
 * @throws OptionError
 * @see OWASP ASVS 5.0 V1.3.1
 */
export function createHtmlSanitizer(options: HtmlSanitizerOptions = {}): HtmlSanitizer {
  const sanitizeHtml = loadSanitizeHtml(missingPeer('createHtmlSanitizer', 'sanitize-html@^2.17.5'));
  return createSanitizerWith(sanitizeHtml, options);
}

export type { HtmlSanitizer, HtmlSanitizerOptions, SafeHtml } from './html/create-html-sanitizer.js';
export type { SafeUrlOptions } from './encode/url.js';
export type { SecurityContext } from '@portcullis/core';
