'use strict';

// CommonJS, because only require() loads without waiting, and bundlers know it inside of a try.
module.exports = function load(faultOf) {
  try {
    return require('@simplewebauthn/server');
  } catch (cause) {
    throw faultOf(cause);
  }
};
