// pnpm check:api [--update]: the public API of every entry as a text under packages/<name>/etc, one file per entry.
// A change of the API is a change of that file: seen in review, and wrong in CI when it was not committed.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Extractor, ExtractorConfig, ExtractorLogLevel } from '@microsoft/api-extractor';
import { entriesOf, publishedPackages, report, work } from './workspace.mjs';

const update = process.argv.includes('--update');
const checks = report('api reports');
const silent = { logLevel: ExtractorLogLevel.None };

for (const { folder, directory, manifest } of publishedPackages()) {
  const expected = new Set();
  for (const { subpath, types } of entriesOf(manifest)) {
    const name = `${subpath === '.' ? 'index' : subpath.slice(2)}.api.md`;
    expected.add(name);
    const entry = join(directory, types);
    if (!existsSync(entry)) {
      checks.fail(`${folder}: ${types} is not built`);
      continue;
    }
    const committed = join(directory, 'etc', name);
    const now = extract(directory, folder, entry, name);
    if (update) {
      mkdirSync(join(directory, 'etc'), { recursive: true });
      writeFileSync(committed, now);
    }
    const before = existsSync(committed) ? readFileSync(committed, 'utf8') : '';
    checks.ok(before === now, `${folder}: the API of "${subpath}" has changed:\n${difference(before, now)}`);
  }
  const folderOfReports = join(directory, 'etc');
  const stale = existsSync(folderOfReports)
    ? readdirSync(folderOfReports).filter((name) => !expected.has(name))
    : [];
  if (update) for (const name of stale) rmSync(join(folderOfReports, name));
  else checks.ok(stale.length === 0, `${folder}: reports without an entry: ${stale.join(', ')}`);
}
checks.finish();
if (process.exitCode === 1)
  console.error('If the change is meant: pnpm build && pnpm check:api --update, and a changeset.');

function extract(directory, folder, entry, name) {
  const temporary = join(work, 'api', folder);
  mkdirSync(temporary, { recursive: true });
  const config = ExtractorConfig.prepare({
    configObject: {
      projectFolder: directory,
      mainEntryPointFilePath: entry,
      newlineKind: 'lf',
      compiler: {
        overrideTsconfig: {
          compilerOptions: {
            target: 'ES2022',
            lib: ['ES2023'],
            module: 'NodeNext',
            moduleResolution: 'NodeNext',
            strict: true,
            skipLibCheck: true,
            types: ['node'],
          },
          files: [entry],
        },
      },
      apiReport: {
        enabled: true,
        reportFileName: name,
        reportFolder: temporary,
        reportTempFolder: temporary,
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: {
        compilerMessageReporting: { default: silent },
        extractorMessageReporting: { default: silent },
        tsdocMessageReporting: { default: silent },
      },
    },
    configObjectFullPath: undefined,
    packageJsonFullPath: join(directory, 'package.json'),
  });
  Extractor.invoke(config, {
    localBuild: true,
    messageCallback(message) {
      // Its own chatter; a change is reported above, as a difference.
      message.handled = true;
      if (message.logLevel === ExtractorLogLevel.Error) checks.fail(`${folder}: ${message.text}`);
    },
  });
  return readFileSync(join(temporary, name), 'utf8');
}

function difference(before, now) {
  const [old, young] = [before.split('\n'), now.split('\n')];
  const gone = old.filter((line) => !young.includes(line)).map((line) => `  - ${line}`);
  const come = young.filter((line) => !old.includes(line)).map((line) => `  + ${line}`);
  return [...gone, ...come].slice(0, 40).join('\n');
}
