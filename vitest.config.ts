/**
 * Three kinds of test: sim needs nothing; unit neither, but for the files that make network namespaces and need root
 * (tests/run/obstacles.ts); lab needs root and runs one file at a time.
 */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    /* A process for each file: the addon, namespaces and locked memory belong to a process. */
    pool: 'forks',
    /* A lab that is taken down ends processes and namespaces. */
    teardownTimeout: 30_000,
    projects: [
      { extends: true, test: { name: 'unit', include: ['tests/unit/**/*.test.ts'], testTimeout: 30_000 } },
      { extends: true, test: { name: 'sim', include: ['tests/sim/**/*.test.ts'], testTimeout: 60_000 } },
      {
        extends: true,
        test: {
          name: 'lab',
          include: ['tests/lab/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
