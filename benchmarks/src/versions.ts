import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { dependencies } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  dependencies: Record<string, string>;
};

/** The third-party packages that this folder measures. */
export const peers: readonly string[] = Object.keys(dependencies).filter(
  (name) => !name.startsWith('@portcullis/'),
);

/** `name version, ...` as installed. */
export function versionsOf(names: readonly string[]): string {
  return names
    .map((name) => {
      try {
        return `${name} ${(require(`${name}/package.json`) as { version: string }).version}`;
      } catch {
        return `${name} ${dependencies[name]}`;
      }
    })
    .join(', ');
}
