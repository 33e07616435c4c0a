import { option, readOptions, type Logger } from '@portcullis/core';
import type { Anchor } from './anchor.js';

export interface LogLineAnchorOptions {
  /** Whose lines go to another machine, such as a SIEM. winston, pino and console fit. */
  readonly logger: Pick<Logger, 'info'>;
}

/**
 * Writes checkpoints as log lines (`audit.checkpoint`, the signed note under `checkpoint`). Loggers do not say whether a line
 * arrived: it counts as anchored when it was handed over. @throws OptionError
 */
export function logLineAnchor(options: LogLineAnchorOptions): Anchor {
  const { logger } = readOptions('logLineAnchor', options, {
    logger: option.port<Pick<Logger, 'info'>>(['info']),
  });
  return Object.freeze<Anchor>({
    name: 'log-line',
    publish({ note }) {
      logger.info('audit.checkpoint', { checkpoint: note });
      return Promise.resolve();
    },
  });
}
