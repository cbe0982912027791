import { describe, expect, test } from 'vitest';
import { isDhcp } from '#wire/dhcp.ts';
import { Frame } from '#wire/frame.ts';
import { parseFrame } from '#wire/parse.ts';
import { F_LENGTH, F_STRIDE, F_VLAN_TCI } from '#wire/record.ts';
import { dhcp, H1, H2, udp } from '../../kit/sim-frames.ts';

function recognised(bytes: Uint8Array): boolean {
  const slab = Uint8Array.from(bytes);
  const view = new DataView(slab.buffer);
  const batch = new Int32Array(F_STRIDE);
  batch[F_LENGTH] = slab.length;
  batch[F_VLAN_TCI] = -1;
  const frame = new Frame();
  expect(parseFrame(slab, view, batch, 0, frame)).toBe(0);
  return isDhcp(view, frame);
}

const data = Buffer.from('option');

describe.each([4, 6] as const)('IPv%d', (version) => {
  const out = { from: H1, to: H2, version };
  const [client, server] = version === 4 ? [68, 67] : [546, 547];
  const payload = dhcp(out, data).subarray(version === 4 ? 42 : 62);

  test('a message between the ports of the protocol, each way and between relays', () => {
    expect(recognised(dhcp(out, data))).toBe(true);
    expect(recognised(udp(out, server, client, payload))).toBe(true);
    expect(recognised(udp(out, server, server, payload))).toBe(true);
    expect(recognised(udp(out, client, client, payload))).toBe(false);
    expect(recognised(udp(out, 5_000, server, payload))).toBe(false);
  });

  test('the ports alone are not enough', () => {
    for (let length = 0; length < payload.length; length++) {
      const cut = payload.subarray(0, length);
      expect(recognised(udp(out, client, server, cut)), `${length} bytes`).toBe(
        version === 4 ? length >= 240 : length === 4,
      );
    }
    const wrong = Uint8Array.from(payload);
    wrong[0] = 99;
    expect(recognised(udp(out, client, server, wrong))).toBe(false);
  });
});

test("a relay's options begin behind its addresses", () => {
  const relayed = Buffer.concat([Buffer.from([12, 0]), Buffer.alloc(32), Buffer.from([0, 9, 0, 2, 1, 2])]);
  const out = { from: H1, to: H2, version: 6 as const };
  expect(recognised(udp(out, 547, 547, relayed))).toBe(true);
  expect(recognised(udp(out, 547, 547, relayed.subarray(0, -1)))).toBe(false);
});
