import { option, OptionError, readOptions, type OptionReader } from '@portcullis/core';
import { createUrlChecker, type SafeUrlOptions, type UrlChecker } from '../encode/url.js';
import { errors } from '../error-codes.js';
import { isPlainMarkup } from './checked-html.js';

declare const safeHtmlBrand: unique symbol;
/** HTML that a sanitiser has made; may stand in a page between tags. */
export type SafeHtml = string & { readonly [safeHtmlBrand]: true };

export interface HtmlSanitizerOptions {
  /**
   * Tags that rich text may have, from `p br hr strong em b i u s sub sup code pre blockquote ul ol li h2 h3 h4 a`.
   * @default all of them
   */
  readonly tags?: readonly string[];
  /** Where links may lead; relative addresses only if asked for. @default https, http, mailto */
  readonly links?: SafeUrlOptions;
  /** Characters of the input, 1 to 1,000,000. @default 50000 */
  readonly maxLength?: number;
  /** Tags inside one another that are kept, 1 to 100. @default 20 */
  readonly maxDepth?: number;
}

export interface HtmlSanitizer {
  /**
   * Limited rich text: listed tags without attributes, and links. Everything else goes; of scripts, styles and other raw text
   * the content too. For the place between tags, in no attribute, script or style.
   * @throws E_VALIDATION (400) for an input that is longer than `maxLength`
   */
  rich(html: string): SafeHtml;
  /**
   * Plain text without any tag, as text: it has to be escaped where it is shown, like every other text.
   * @throws E_VALIDATION (400) for an input that is longer than `maxLength`
   */
  text(html: string): string;
}

/** What we need of sanitize-html. */
export type SanitizeHtml = (html: string, options: SanitizeHtmlOptions) => string;
interface SanitizeHtmlOptions {
  allowedTags: string[];
  allowedAttributes: Record<string, string[]>;
  allowedSchemes: string[];
  allowProtocolRelative: boolean;
  disallowedTagsMode: 'discard';
  enforceHtmlBoundary: boolean;
  nestingLimit: number;
  nonTextTags: string[];
  transformTags?: Record<string, (tag: string, attributes: Record<string, string>) => Transformed>;
}
interface Transformed {
  tagName: string;
  attribs: Record<string, string>;
}

// Whatever is not in this list cannot be allowed: nothing here runs, loads, embeds, or is parsed by rules of its own.
const KNOWN = 'p br hr strong em b i u s sub sup code pre blockquote ul ol li h2 h3 h4 a'.split(' ');
/** Their content is no text for people, or is parsed by rules of its own. */
const DROPPED =
  'script style textarea option xmp noscript noembed noframes iframe plaintext title template svg math object embed applet select'.split(
    ' ',
  );
/** Where plain text begins a line of its own. */
const BLOCKS: ReadonlySet<string> = new Set(
  'p br hr div li ul ol pre blockquote h1 h2 h3 h4 h5 h6 tr table section article dt dd'.split(' '),
);
const REL = 'nofollow noopener noreferrer ugc';

export function createSanitizerWith(library: SanitizeHtml, options: HtmlSanitizerOptions): HtmlSanitizer {
  const { tags, links, maxLength, maxDepth } = readOptions('createHtmlSanitizer', options, {
    tags: option.array(knownTag, { min: 1, max: 100, default: KNOWN }),
    links: readLinks,
    maxLength: option.integer({ min: 1, max: 1_000_000, default: 50_000 }),
    maxDepth: option.integer({ min: 1, max: 100, default: 20 }),
  });
  const allowed = new Set(tags);
  const common = {
    allowedSchemes: [],
    allowProtocolRelative: false,
    disallowedTagsMode: 'discard',
    enforceHtmlBoundary: false,
    nestingLimit: maxDepth,
    nonTextTags: DROPPED,
  } as const;
  const forText: SanitizeHtmlOptions = {
    ...common,
    allowedSchemes: [],
    nonTextTags: [...DROPPED],
    allowedTags: [...BLOCKS],
    allowedAttributes: {},
  };
  const forRich: SanitizeHtmlOptions = {
    ...forText,
    allowedTags: [...tags],
    allowedAttributes: { a: ['href', 'rel'] },
    // Links have been judged when the library sees them.
    allowedSchemes: ['https', 'http', 'mailto', ...(options.links?.schemes ?? [])],
    transformTags: {
      a: (tagName, { href = '' }) => {
        const checked = links(href);
        return checked === undefined
          ? { tagName: 'span', attribs: {} }
          : { tagName, attribs: { href: checked, rel: REL } };
      },
    },
  };
  const bounded = (html: string): string => {
    if (html.length <= maxLength) return html.toWellFormed().replaceAll('\0', '');
    const message = `must not have more than ${maxLength} characters`;
    throw errors.E_VALIDATION({
      problem: { errors: [{ in: 'body', pointer: '', keyword: 'maxLength', message }] },
    });
  };
  // After an end tag that never ends, the library writes half of a character.
  const clean: SanitizeHtml = (html, rules) => library(html, rules).toWellFormed();
  return {
    text(html) {
      const input = bounded(html);
      const output = clean(input, forText);
      return isPlainMarkup(output, BLOCKS) ? textOf(output) : input;
    },
    rich(html) {
      const input = bounded(html);
      // Tags that are dropped bring others together that end one another, such as a paragraph and a list: written once more, as
      // those readers will understand it, it stays as it is.
      const output = clean(clean(input, forRich), forRich);
      // Two readers have to agree; what one of them would not have written is shown as the text that it is.
      return (isPlainMarkup(output, allowed) ? output : asText(input)) as SafeHtml;
    },
  };
}

/** Escaped as the library does between tags, quotes as they are: what comes out comes out the same again. */
function asText(input: string): string {
  return input.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** The text of plain markup, line by line: tags of blocks are where lines end. */
function textOf(html: string): string {
  const text = html
    .replace(/<[^<>]*>/g, '\n')
    .replace(/&(?:amp|lt|gt|quot|#39);/g, (reference) => REFERENCES[reference]!);
  const lines = text.split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '').join('\n');
}

const REFERENCES: Readonly<Record<string, string>> = Object.freeze({
  '&amp;': '&',
  '&lt;': '<',
  '&gt;': '>',
  '&quot;': '"',
  '&#39;': "'",
});

const knownTag: OptionReader<string> = (value, owner, path) => {
  const tag = option.string({ max: 20 })(value, owner, path);
  if (KNOWN.includes(tag)) return tag;
  throw new OptionError('E_OPTION_VALUE', owner, path, `${path} must be one of ${KNOWN.join(', ')}`);
};

const readLinks: OptionReader<UrlChecker> = (value) => {
  const given = value === undefined ? {} : (value as SafeUrlOptions);
  return createUrlChecker(typeof given === 'object' ? { relative: false, ...given } : given);
};
