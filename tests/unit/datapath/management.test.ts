/** The box's own port: what strangers on the segments can make of it. */
import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { MACS_TOLD_PER_SECOND } from '#datapath/limits.ts';
import { Management } from '#datapath/management.ts';
import { MacTable } from '#pit/macs.ts';
import { Frame } from '#wire/frame.ts';
import { PORT_OUTER } from '#wire/record.ts';

it('a flood of made-up addresses reaches the other workers at a bounded rate', () => {
  const slab = new Uint8Array(64);
  let told = 0;
  const management = new Management({
    slab,
    frame: new Frame(),
    macs: new MacTable(64, (into) => into.set(randomBytes(into.length))),
    mac: 0x02_00_00_00_00_99,
    forward: () => {},
    tell: () => told++,
  });
  const view = new DataView(slab.buffer);
  for (let i = 0; i < 10_000; i++) {
    view.setUint32(8, i);
    expect(management.to(PORT_OUTER, 5_000)).toBe(false);
  }
  expect(told).toBe(MACS_TOLD_PER_SECOND);
  view.setUint32(8, 10_000);
  management.to(PORT_OUTER, 6_000);
  expect(told).toBe(MACS_TOLD_PER_SECOND + 1);
});
