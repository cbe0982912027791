/** What the kernel says about merged datagrams when it is asked, against what it does with one. */
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { native } from '#native/native.ts';
import { carriesDatagrams } from '#port/datagrams.ts';
import { openPacketSockets, openPorts, PacketPort } from '#port/packet.ts';
import { F_GSO_TYPE, F_STATUS, GSO_NONE, GSO_UDP_L4 } from '#wire/record.ts';
import { Batch, merge } from '../transform/merge-batch.ts';
import { udpPacket } from '../transform/plain-packets.ts';
import { addVeth, enterNewNamespace, run } from './namespace.ts';

/** Fragments of one datagram; nothing here sends them. */
const GSO_UDP = 3;
const UNKNOWN = 0x3f;

let leave: () => void;
beforeAll(() => {
  leave = enterNewNamespace();
});
afterAll(() => leave());

test('a type that every kernel knows is taken, one that none knows is not', () => {
  expect([GSO_NONE, GSO_UDP, UNKNOWN].map((type) => native.takesDatagrams(type))).toEqual([true, true, false]);
});

test('merged datagrams are, where one can be sent', () => {
  addVeth('left', 'right');
  const fds = openPacketSockets('left', { workers: 1, mark: 1, receiveBytes: 1 << 20, sendBytes: 1 << 20 });
  openPorts(fds);
  const port = new PacketPort(fds[0], 'left', 1500);
  const batch = new Batch();
  for (const id of [1, 2, 3]) batch.add(udpPacket({ version: 4, id }, 7, 9, Buffer.alloc(88)));
  merge(batch.work);
  const { records } = batch.work;
  expect(records[F_GSO_TYPE]).toBe(GSO_UDP_L4);
  port.transmit(batch.slab, records, 0, 3);
  const sent = records[F_STATUS] === 0;
  expect([carriesDatagrams(), port.datagrams]).toEqual([sent, sent]);
  port.close();
  run('ip link del left');
});

test('asking leaves no trace in the network where it was asked', () => {
  const links = (): string => execFileSync('ip', ['-s', 'link'], { encoding: 'utf8' });
  const before = links();
  native.takesDatagrams(GSO_UDP_L4);
  expect(before).toContain('state DOWN');
  expect(links()).toBe(before);
});

test('without the right to make a network namespace the answer is no', () => {
  const module = new URL('../../../gateway/native/native.ts', import.meta.url).href;
  const program = `import { native } from ${JSON.stringify(module)}; console.log(native.takesDatagrams(${GSO_NONE}))`;
  const bounded = ['--bounding-set=-all', process.execPath, '--input-type=module', '-e', program];
  expect(execFileSync('setpriv', bounded, { encoding: 'utf8' })).toBe('false\n');
});
