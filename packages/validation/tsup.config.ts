import { bundle } from '../../tsup.preset.js';

export default bundle(['src/index.ts', 'src/outgoing.ts', 'src/encode.ts', 'src/html.ts', 'src/uploads.ts']);
