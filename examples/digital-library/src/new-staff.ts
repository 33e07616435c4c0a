// npm run staff -- <e-mail>: a staff account with a new password, printed once; also for a first password that was lost.
import { runCommand } from './command.js';
import { openHouse } from './house.js';
import { loadSettings } from './settings.js';
import { makeStaff } from './staff-account.js';

const [email, ...more] = process.argv.slice(2);
if (email === undefined || more.length > 0) {
  console.error('Usage: npm run staff -- <e-mail>');
  process.exit(2);
}
await runCommand(async () => {
  const config = loadSettings();
  const house = await openHouse(config.values, { production: config.production });
  try {
    if (house.firstStaff) {
      console.log(
        `Staff account, shown once: ${house.firstStaff.email} with password ${house.firstStaff.password}`,
      );
    }
    const account = await makeStaff(house, email);
    console.log(
      account.added
        ? `Staff account, shown once: ${account.email} with password ${account.password}`
        : `New password, shown once: ${account.email} is staff with password ${account.password}; all its sessions have ended.`,
    );
  } finally {
    await house.close();
  }
});
