import { expect, test } from 'vitest';
import { carriesDatagrams } from '#port/datagrams.ts';

test('packet sockets carry merged datagrams from Linux 6.2 on', () => {
  for (const release of ['6.2.0', '6.18.44-x', '10.0']) expect(carriesDatagrams(release)).toBe(true);
  for (const release of ['6.1.0-28-amd64', '5.19.17', '4.2', '', 'custom'])
    expect(carriesDatagrams(release)).toBe(false);
});
