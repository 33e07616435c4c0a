import { bundle } from '../../tsup.preset.js';

export default bundle(['src/index.ts', 'src/pino.ts', 'src/winston.ts']);
