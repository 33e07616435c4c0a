// npm start: opens the library. Every setting has a default for trying it out; production needs PUBLIC_ORIGIN, SIGNING_KEYS, AUDIT_KEY and FACTOR_KEY.
import { guardProcess } from '@portcullis/errors';
import { secureServer } from '@portcullis/errors/server';
import { createRedactor } from '@portcullis/redact';
import { createApp } from './app.js';
import { runCommand } from './command.js';
import { openHouse } from './house.js';
import { limits } from './limits.js';
import { loadSettings } from './settings.js';

await runCommand(async () => {
  const config = loadSettings();
  const house = await openHouse(config.values, { production: config.production });
  const server = secureServer(createApp(house), { limits: limits.server, timeouts: limits.timeouts });
  guardProcess({
    logger: console,
    redact: createRedactor().redact,
    drain: [() => server.close(), () => house.close()],
  });

  // Before anything that can fail, such as a port that is taken: there is no second chance to show it.
  if (house.firstStaff) {
    console.log(
      `Staff account, shown once: ${house.firstStaff.email} with password ${house.firstStaff.password}`,
    );
  }
  const { HOST, PORT } = config.values;
  const { port } = await server.listen({ host: HOST, port: PORT });
  console.log(`Digital Library is open at http://${nameOf(HOST)}:${port}`);
});

/** What to type into a browser. This machine by its name: passkeys do not work at an address of numbers. */
function nameOf(host: string): string {
  if (['127.0.0.1', '::1', '0.0.0.0', '::'].includes(host)) return 'localhost';
  return host.includes(':') ? `[${host}]` : host;
}
