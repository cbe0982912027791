import { getSystemErrorName } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { native } from '#native/native.ts';
import { openPacketSockets, openPorts, PacketPort } from '#port/packet.ts';
import { completeChecksum } from '#wire/checksum.ts';
import {
  F_CSUM_OFFSET,
  F_CSUM_START,
  F_FLAGS,
  F_GSO_SIZE,
  F_GSO_TYPE,
  F_LENGTH,
  F_NEXT,
  F_OFFSET,
  F_STATUS,
  F_STRIDE,
  F_VLAN_TCI,
  GSO_TCPV4,
  SLOT_HEADROOM,
  VNET_JOINED,
  VNET_NEEDS_CSUM,
} from '#wire/record.ts';
import { Batch, merge } from '../transform/merge-batch.ts';
import { udpPacket } from '../transform/plain-packets.ts';
import { addVeth, enterNewNamespace, run, untilOperational } from './namespace.ts';
import {
  type Arrival,
  Buffers,
  plainFrame,
  TCP_CSUM_OFFSET,
  TCP_L4,
  TCP_PAYLOAD,
  tcpChecksumIsRight,
  tcpFrame,
} from './packets.ts';
import { portSuite } from './suite.ts';

const OPTIONS = { workers: 1, mark: 0x47, receiveBytes: 1 << 20, sendBytes: 1 << 20 };

function openPort(name: string): PacketPort {
  const fds = openPacketSockets(name, OPTIONS);
  openPorts(fds);
  return new PacketPort(fds[0], name, 1500);
}

let leave: () => void;
beforeAll(() => {
  leave = enterNewNamespace();
});
afterAll(() => leave());

describe('packet port', () => {
  portSuite(() => {
    addVeth('left', 'right');
    let exists = true;
    const left = openPort('left');
    const right = openPort('right');
    const remove = (): void => {
      if (exists) run('ip link del left');
      exists = false;
    };
    return {
      left,
      right,
      setUp: (up) => {
        run(`ip link set left ${up ? 'up' : 'down'}`);
        if (up) untilOperational('left', 'right');
      },
      remove,
      close: () => {
        left.close();
        right.close();
        remove();
      },
    };
  });
});

describe('packet port on a link that makes real segments', () => {
  const buffers = new Buffers();
  let left: PacketPort;
  let right: PacketPort;
  beforeAll(() => {
    addVeth('left', 'right', 'tso off tx off gro off');
    left = openPort('left');
    right = openPort('right');
  });
  afterAll(() => {
    left.close();
    right.close();
    run('ip link del left');
  });

  const partial = { [F_FLAGS]: VNET_NEEDS_CSUM, [F_CSUM_START]: TCP_L4, [F_CSUM_OFFSET]: TCP_CSUM_OFFSET };
  const whole = ({ bytes, record }: Arrival): boolean =>
    (record[F_FLAGS] & VNET_NEEDS_CSUM) === 0 && tcpChecksumIsRight(bytes);

  test('a partial checksum is completed', () => {
    buffers.add(tcpFrame(100), partial);
    expect(buffers.send(left)).toEqual([0]);
    expect(buffers.arrivals(right, 1).every(whole)).toBe(true);
  });

  test.each([
    ['with a partial checksum', partial],
    ['whose checksum is complete', {}],
  ])('a superpacket %s becomes segments, each with the right checksum', (_name, columns) => {
    const frame = tcpFrame(5_000);
    if (Object.keys(columns).length === 0) completeTcp(frame);
    buffers.add(frame, { ...columns, [F_GSO_TYPE]: GSO_TCPV4, [F_GSO_SIZE]: 1448 });
    expect(buffers.send(left)).toEqual([0]);
    const segments = buffers.arrivals(right, 4);
    expect(segments.every(whole)).toBe(true);
    const payload = segments.flatMap(({ bytes }) => [...bytes.subarray(TCP_PAYLOAD)]);
    expect(Uint8Array.from(payload)).toEqual(frame.subarray(TCP_PAYLOAD));
    expect(segments.map(({ bytes }) => bytes.length - TCP_PAYLOAD)).toEqual([1448, 1448, 1448, 656]);
  });

  test('records of any content are sent or get an errno, and the next frame goes', () => {
    const column = fc.oneof(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), fc.integer({ min: -2, max: 1_600 }));
    const names = [
      F_OFFSET,
      F_LENGTH,
      F_FLAGS,
      F_GSO_TYPE,
      F_GSO_SIZE,
      F_CSUM_START,
      F_CSUM_OFFSET,
      F_VLAN_TCI,
      F_NEXT,
    ];
    const wild = fc.array(fc.tuple(fc.constantFrom(...names), column), { maxLength: 3 }).map(Object.fromEntries);
    fc.assert(
      fc.property(wild, wild, fc.boolean(), fc.nat(2_000), (first, joined, chained, size) => {
        const chain = chained ? { [F_NEXT]: 3 } : {};
        const columns = { ...partial, [F_GSO_TYPE]: GSO_TCPV4, [F_GSO_SIZE]: 1000, ...chain, ...first };
        buffers.add(tcpFrame(size), { ...columns, [F_FLAGS]: columns[F_FLAGS] & ~VNET_JOINED });
        buffers.add(plainFrame(60));
        buffers.add(plainFrame(100), { [F_FLAGS]: VNET_JOINED, [F_NEXT]: 4, ...joined });
        buffers.add(plainFrame(200), { [F_FLAGS]: VNET_JOINED });
        const [status, next] = buffers.send(left);
        expect(status === 0 || getSystemErrorName(-status).startsWith('E')).toBe(true);
        expect(next).toBe(0);
        while (right.receive(buffers.slab, buffers.received, 0, 16) > 0);
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([
    ['IPv4 with DF', { version: 4 }],
    ['IPv4 without DF', { version: 4, df: false }],
    ['IPv6', { version: 6 }],
  ] as const)('datagrams of %s that leave as one are, on the link, what they were', (_name, ip) => {
    const frames = [88, 88, 88, 31].map((length, i) =>
      udpPacket({ ...ip, id: (0xfffe + i) & 0xffff }, 7, 9, Buffer.alloc(length, i)),
    );
    const batch = new Batch();
    for (const frame of frames) batch.add(frame);
    merge(batch.work);
    expect(batch.groups()).toEqual([[0, 1, 2, 3]]);
    left.transmit(batch.slab, batch.work.records, 0, 4);
    expect([0, 1, 2, 3].map((i) => batch.work.records[i * F_STRIDE + F_STATUS])).toEqual([0, 0, 0, 0]);
    const got = buffers.arrivals(right, 4).map(({ bytes }) => Buffer.from(bytes).toString('hex'));
    expect(got).toEqual(frames.map((frame) => frame.toString('hex')));
  });

  test('a full transmit queue costs its frames and nothing more', () => {
    /* A shaper that lets next to nothing through, with room for one frame. */
    run('tc qdisc add dev left root tbf rate 8kbit burst 1600 limit 1600');
    for (let i = 0; i < 8; i++) buffers.add(plainFrame(1514, i));
    const statuses = buffers.send(left);
    run('tc qdisc del dev left root');
    expect(statuses[0]).toBe(0);
    expect(statuses.filter((s) => s !== 0).length).toBeGreaterThan(3);
    expect(buffers.arrivals(right, 1)).toHaveLength(1);
    buffers.add(plainFrame(60));
    expect(buffers.send(left)).toEqual([0]);
    expect(buffers.arrivals(right, 1)).toHaveLength(1);
  });
});

function completeTcp(frame: Uint8Array): void {
  completeChecksum(frame, TCP_L4, frame.length, TCP_L4 + TCP_CSUM_OFFSET);
}

test('sockets receive nothing before the ports are opened for traffic', () => {
  addVeth('left', 'right');
  const sender = openPort('left');
  const fds = openPacketSockets('right', { ...OPTIONS, workers: 2 });
  const members = fds.map((fd) => new PacketPort(fd, 'right', 1500));
  const buffers = new Buffers();
  buffers.add(plainFrame(60));
  buffers.send(sender);
  openPorts(fds);
  buffers.add(plainFrame(70));
  buffers.send(sender);
  /* Not IP: member 0. */
  expect(buffers.arrivals(members[0], 1).map((a) => a.bytes.length)).toEqual([70]);
  expect(members[1].receive(buffers.slab, buffers.received, 0, 4)).toBe(0);
  buffers.add(plainFrame(80));
  expect(buffers.send(members[1])).toEqual([0]);
  expect(buffers.arrivals(sender, 1).map((a) => a.bytes.length)).toEqual([80]);
  /* A member of a group does not see what another member sent either. */
  for (const member of members) expect(member.receive(buffers.slab, buffers.received, 0, 4)).toBe(0);
  for (const port of [sender, ...members]) port.close();
  run('ip link del left');
});

test('what others send from this machine is not received, alone or in a group', () => {
  addVeth('left', 'right');
  const fds = openPacketSockets('left', { ...OPTIONS, workers: 2 });
  openPorts(fds);
  const members = fds.map((fd) => new PacketPort(fd, 'left', 1500));
  const alone = openPort('left');
  const stranger = openPort('left');
  const far = openPort('right');
  const buffers = new Buffers();
  buffers.add(plainFrame(90));
  expect(buffers.send(stranger)).toEqual([0]);
  expect(buffers.arrivals(far, 1)).toHaveLength(1);
  for (const port of [...members, alone]) expect(port.receive(buffers.slab, buffers.received, 0, 4)).toBe(0);
  for (const port of [...members, alone, stranger, far]) port.close();
  run('ip link del left');
});

test('an interface that does not exist is named', () => {
  expect(() => openPacketSockets('nowhere0', OPTIONS)).toThrow(/nowhere0: No such device/);
});

describe('what native.next took', () => {
  const clock = Float64Array.of(0, Number.POSITIVE_INFINITY);

  function scene(
    body: (ports: readonly [PacketPort, PacketPort, PacketPort, PacketPort], event: number) => void,
  ): void {
    addVeth('left', 'right');
    addVeth('far', 'near');
    const ports = [openPort('left'), openPort('right'), openPort('far'), openPort('near')] as const;
    const event = native.createEvent();
    untilOperational('left', 'right', 'far', 'near');
    try {
      body(ports, event);
    } finally {
      native.closeSocket(event);
      for (const port of ports) port.close();
      run('ip link del left');
      run('ip link del far');
    }
  }

  test('comes from the first port that is ready, and its next receive returns it, once', () => {
    scene(([left, right, far, near], event) => {
      const buffers = new Buffers();
      const fds = Int32Array.of(event, right.fd, near.fd);
      const ready = new Int32Array(3);
      buffers.add(plainFrame(60, 1));
      expect(buffers.send(far)).toEqual([0]);
      expect(native.next(fds, 3, ready, clock, buffers.slab, buffers.received, Int32Array.of(4, 4))).toBe(1);
      expect([ready[1], ready[2]]).toEqual([0, 1]);
      near.taken = 1;
      expect(near.receive(buffers.slab, buffers.received, 0, 4)).toBe(1);
      expect(buffers.slab.subarray(SLOT_HEADROOM, SLOT_HEADROOM + 60)).toEqual(plainFrame(60, 1));
      expect(near.receive(buffers.slab, buffers.received, 0, 4)).toBe(0);

      buffers.add(plainFrame(60, 2));
      expect(buffers.send(left)).toEqual([0]);
      buffers.add(plainFrame(60, 3));
      expect(buffers.send(far)).toEqual([0]);
      expect(native.next(fds, 3, ready, clock, buffers.slab, buffers.received, Int32Array.of(4, 4))).toBe(1);
      expect([ready[1], ready[2]]).toEqual([1, 1]);
      expect(buffers.slab.subarray(SLOT_HEADROOM, SLOT_HEADROOM + 60)).toEqual(plainFrame(60, 2));
      expect(near.receive(buffers.slab, buffers.received, 0, 4)).toBe(1);
      expect(buffers.slab.subarray(SLOT_HEADROOM, SLOT_HEADROOM + 60)).toEqual(plainFrame(60, 3));
    });
  });

  test('an error of it is an error of the port', () => {
    const port = new PacketPort(0, 'none', 1500);
    port.taken = -5;
    const buffers = new Buffers();
    expect(port.receive(buffers.slab, buffers.received, 0, 4)).toBe(0);
    expect([port.takeErrors(), port.takeErrors()]).toEqual([1, 0]);
  });
});
