'use strict';

// CommonJS, because only require() loads without waiting, and bundlers know it inside of a try.
module.exports = function load(faultOf) {
  try {
    return require('sanitize-html');
  } catch (cause) {
    throw faultOf(cause);
  }
};
