// Copies the declarations of dist/esm to dist/cjs and marks that folder as CommonJS, so that both
// module systems see types of their own kind (a copied .d.cts fails node16 CommonJS consumers).
import { cpSync, writeFileSync } from 'node:fs';

cpSync('dist/esm', 'dist/cjs', {
  recursive: true,
  filter: (source) => !/\.(js|map)$/.test(source),
});
writeFileSync('dist/cjs/package.json', '{"type":"commonjs"}\n');
