import type sanitizeHtml = require('sanitize-html');

declare function load(faultOf: (cause: unknown) => unknown): typeof sanitizeHtml;
export = load;
