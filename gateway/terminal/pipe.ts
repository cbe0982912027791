/** Programs whose output goes into a pipe that nobody reads any more. */

/** `program … | head` is no failure: the program ends. What nobody reads of its problems is left out, no more. */
export function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit();
  });
  process.stderr.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}
