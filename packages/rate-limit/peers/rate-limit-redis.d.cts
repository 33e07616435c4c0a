import type library = require('rate-limit-redis');

declare function load(faultOf: (cause: unknown) => unknown): typeof library;
export = load;
