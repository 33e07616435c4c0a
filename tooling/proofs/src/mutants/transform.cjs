// The transformer of the tests with one change: the source of a mutant is changed, or exchanged, before it is compiled. Nothing on the
// disk changes.
'use strict';
const swc = require('@swc/jest');

module.exports = {
  createTransformer({ swc: options, mutant }) {
    const inner = swc.createTransformer(options);
    const changed = (source, file) => {
      if (!mutant || file !== mutant.path) return String(source);
      if (mutant.source !== undefined) return String(mutant.source);
      if (source.split(mutant.from).length !== 2)
        throw new Error(`Not exactly once in ${file}: ${mutant.from}`);
      return String(source).replace(String(mutant.from), () => String(mutant.to));
    };
    return {
      canInstrument: inner.canInstrument,
      getCacheKey: (source, file, rest) => inner.getCacheKey(changed(source, file), file, rest),
      process: (source, file, rest) => inner.process(changed(source, file), file, rest),
      processAsync: (source, file, rest) => inner.processAsync(changed(source, file), file, rest),
    };
  },
};
