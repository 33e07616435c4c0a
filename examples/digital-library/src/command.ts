/**
 * Runs a program of the library. What stops it for a known reason (a data folder in use, a wrong setting, a taken port, a file that
 * is not there) is told by its message alone; what nobody foresaw keeps its stack. Exit code 1 in both cases.
 */
export async function runCommand(run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    const known = error instanceof Error && typeof (error as { code?: unknown }).code === 'string';
    console.error(known ? error.message : error);
    process.exit(1);
  }
}
