import { bundle } from '../../tsup.preset.js';

export default bundle([
  'src/index.ts',
  'src/express-jwt.ts',
  'src/passkeys.ts',
  'src/postgres.ts',
  'src/testing.ts',
]);
