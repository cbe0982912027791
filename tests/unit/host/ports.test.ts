import { describe, expect, test } from 'vitest';
import { parseLinks } from '#host/links.ts';
import { lacksDatagrams, mergingOffloads, realMtu, unwantedOffloads } from '#host/ports.ts';
import { hasSubscribed } from '#host/watch.ts';

const port = (mtu: number, alias: string, max_mtu = 9000) =>
  parseLinks(JSON.stringify([{ ifindex: 1, ifname: 'eth0', mtu, max_mtu, ifalias: alias }]))[0];

describe('ports', () => {
  test('the real MTU is the one before we made room for tags', () => {
    expect(realMtu(port(1500, ''))).toBe(1500);
    expect(realMtu(port(1508, 'gscip outer 1500'))).toBe(1500);
    /* killed between writing the mark and setting the MTU */
    expect(realMtu(port(1500, 'gscip outer 1500'))).toBe(1500);
    /* the driver takes no more */
    expect(realMtu(port(1500, 'gscip outer 1500', 1500))).toBe(1500);
    expect(realMtu(port(1504, 'gscip outer 1500', 1504))).toBe(1500);
    /* an administrator chose another one meanwhile */
    expect(realMtu(port(1400, 'gscip outer 1500'))).toBe(1400);
  });

  test('only offloads that are on and can be switched are switched', () => {
    const text =
      'Features for eth0:\nlarge-receive-offload: on\nrx-gro-list: on [fixed]\ngeneric-receive-offload: on\n';
    expect(unwantedOffloads(text)).toEqual(['lro']);
    expect(unwantedOffloads('rx-gro-list: on\nlarge-receive-offload: off [fixed]\n')).toEqual(['rx-gro-list']);
    expect(unwantedOffloads('')).toEqual([]);
  });

  test('libpcap needs single frames with complete checksums', () => {
    const text = [
      'Features for eth0:',
      'rx-checksumming: on',
      'tx-checksumming: on',
      '\ttx-checksum-ip-generic: on',
      'tcp-segmentation-offload: on',
      'generic-segmentation-offload: on [fixed]',
      'generic-receive-offload: on',
      'tx-udp-segmentation: off',
    ].join('\n');
    expect(mergingOffloads(text)).toEqual(['gro', 'tso', 'tx']);
    expect(mergingOffloads('')).toEqual([]);
  });

  test('datagrams come merged where packet sockets can carry them', () => {
    expect(lacksDatagrams('rx-gro-list: off\nrx-udp-gro-forwarding: off\n')).toBe(true);
    expect(lacksDatagrams('rx-udp-gro-forwarding: on\n')).toBe(false);
    expect(lacksDatagrams('rx-udp-gro-forwarding: off [fixed]\n')).toBe(false);
  });
});

describe('watch', () => {
  const table = `sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode
00000000edf09cc7 0   0          00000000 0        0        0     2        0        31148
000000000a787166 12  8124       00000140 0        0        0     2        0        33820
000000000a787167 0   8125       00000000 0        0        0     2        0        33821
`;
  test('a monitor listens once its socket is in a group of its family', () => {
    expect(hasSubscribed(table, 8124, 12)).toBe(true);
    expect(hasSubscribed(table, 8124, 0)).toBe(false);
    expect(hasSubscribed(table, 8125, 0)).toBe(false);
    expect(hasSubscribed('', 8124, 12)).toBe(false);
  });
});
