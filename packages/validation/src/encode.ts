export { escapeAttribute, escapeComment, escapeHtml, escapeXml } from './encode/html.js';
export { escapeJs, jsonForScript } from './encode/script.js';
export { escapeCss } from './encode/css.js';
export {
  createUrlChecker,
  encodePathSegment,
  encodeQueryPart,
  type SafeUrlOptions,
  type UrlChecker,
} from './encode/url.js';
export { contentDisposition, headerText, quoteHeader } from './encode/header.js';
export { escapeLog } from './encode/log.js';
export { csvCell, csvLine, type CsvValue } from './encode/csv.js';
export { escapeLike, escapeRegExp } from './encode/pattern.js';
