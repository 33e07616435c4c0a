import { bundle } from '../../tsup.preset.js';

export default bundle([
  'src/index.ts',
  'src/encode.ts',
  'src/html.ts',
  'src/openapi.ts',
  'src/outgoing.ts',
  'src/precompile.ts',
  'src/precompiled.ts',
  'src/uploads.ts',
]);
