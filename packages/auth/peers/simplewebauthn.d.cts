import type library = require('@simplewebauthn/server');

declare function load(faultOf: (cause: unknown) => unknown): typeof library;
export = load;
