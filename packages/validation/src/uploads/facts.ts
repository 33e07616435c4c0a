import type { Rules } from './rules.js';

/** What an uploads stage says of itself to tools that read routes, such as `openApi()`. */
export interface UploadFacts {
  readonly receives: {
    readonly files: readonly {
      readonly name: string;
      readonly mediaTypes: readonly string[];
      readonly maxBytes: number;
      readonly maxCount: number;
      readonly required: boolean;
    }[];
    readonly fields: readonly {
      readonly name: string;
      readonly maxBytes: number;
      readonly maxCount: number;
      readonly required: boolean;
    }[];
  };
}

export function describeRules({ files, fields }: Rules): UploadFacts {
  return {
    receives: {
      files: [...files].map(([name, { kinds, maxBytes, maxCount, required }]) => ({
        name,
        mediaTypes: [...new Set(kinds.map(({ type }) => type))],
        maxBytes,
        maxCount,
        required,
      })),
      fields: [...fields].map(([name, { maxBytes, maxCount, required }]) => ({
        name,
        maxBytes,
        maxCount,
        required,
      })),
    },
  };
}
