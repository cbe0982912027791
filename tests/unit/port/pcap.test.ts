import { constants } from 'node:os';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { PcapPort } from '#port/pcap.ts';
import { SNAPSHOT_BYTES } from '#port/pcap-library.ts';
import { F_GSO_SIZE, F_GSO_TYPE, F_LENGTH, F_STATUS, GSO_TCPV4 } from '#wire/record.ts';
import { addVeth, enterNewNamespace, run, untilOperational } from './namespace.ts';
import { type Arrival, Buffers, plainFrame, tcpFrame } from './packets.ts';
import { portSuite } from './suite.ts';

const OFFLOADS_OFF = 'tx off tso off gso off gro off';
const OPTIONS = { mark: 0x47, sendBytes: 1 << 20 };
/** How long the loop is run for a frame that does not come. */
const PATIENCE_MS = 2_000;

/** Lets frames come from the event loop until `count` wait, or for PATIENCE_MS. */
async function untilWaiting(port: PcapPort, count: number): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (port.waiting < count && performance.now() < end) await new Promise(setImmediate);
}

async function arrivals(buffers: Buffers, port: PcapPort, count: number): Promise<Arrival[]> {
  await untilWaiting(port, count);
  return buffers.arrivals(port, count);
}

function openPort(name: string, mtu = 1500): PcapPort {
  const port = new PcapPort(name, mtu, OPTIONS);
  port.admit();
  return port;
}

let leave: () => void;
beforeAll(() => {
  leave = enterNewNamespace();
});
afterAll(() => leave());

describe('pcap port', () => {
  portSuite(
    () => {
      addVeth('left', 'right', OFFLOADS_OFF);
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
        arrivals: (buffers, port, count) => arrivals(buffers, port as PcapPort, count),
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
    },
    { cuts: true },
  );
});

describe('what is the way of libpcap', () => {
  let buffers: Buffers;
  let left: PcapPort;
  let right: PcapPort;
  beforeEach(() => {
    addVeth('left', 'right', OFFLOADS_OFF);
    buffers = new Buffers();
    left = openPort('left');
    right = openPort('right');
  });
  afterEach(() => {
    left.close();
    right.close();
    run('ip link del left');
  });

  const sendPlain = (port: PcapPort, ...sizes: number[]): number[] => {
    for (const size of sizes) buffers.add(plainFrame(size));
    return buffers.send(port);
  };
  const lengths = async (port: PcapPort, count: number): Promise<number[]> =>
    (await arrivals(buffers, port, count)).map(({ record }) => record[F_LENGTH]);

  test('the first frame is not lost', async () => {
    sendPlain(left, 60);
    expect(await lengths(right, 1)).toEqual([60]);
    expect(right.takeOverruns()).toBe(0);
  });

  test('nothing is received before the port is admitted', async () => {
    const late = new PcapPort('right', 1500, OPTIONS);
    sendPlain(left, 60, 61);
    expect(await lengths(right, 2)).toEqual([60, 61]);
    expect(late.waiting).toBe(0);
    late.admit();
    sendPlain(left, 62);
    expect(await lengths(late, 1)).toEqual([62]);
    late.close();
  });

  test('what others send from this machine is not received', async () => {
    const stranger = openPort('left');
    sendPlain(stranger, 90);
    expect(await lengths(right, 1)).toEqual([90]);
    expect(left.waiting).toBe(0);
    stranger.close();
  });

  test('the owner is called when a frame comes to wait, not for those behind it', async () => {
    let calls = 0;
    right.onArrival = () => calls++;
    sendPlain(left, 60, 61, 62);
    await untilWaiting(right, 3);
    expect(calls).toBe(1);
  });

  test('a link that was down and up again is heard again, also when nothing is sent meanwhile', async () => {
    run('ip link set left down');
    expect([left.takeErrors(), left.takeErrors()]).toEqual([1, 0]);
    run('ip link set left up');
    untilOperational('left', 'right');
    expect(left.takeErrors()).toBe(0);
    sendPlain(right, 70);
    expect(await lengths(left, 1)).toEqual([70]);
  });

  test('a link that goes down and up between two looks costs one error, and is heard again', async () => {
    run('ip link set left down');
    run('ip link set left up');
    untilOperational('left', 'right');
    expect(sendPlain(left, 60)).toEqual([0]);
    expect(left.takeErrors()).toBe(1);
    sendPlain(right, 70);
    expect(await lengths(left, 1)).toEqual([70]);
  });

  test('a link that comes and goes takes no memory for frames each time', () => {
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 8; i++) {
      run('ip link set left down');
      run('ip link set left up');
      untilOperational('left', 'right');
      expect(left.takeErrors()).toBe(1);
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(4 * SNAPSHOT_BYTES);
  });

  test.each([
    ['a look', () => left.takeErrors()],
    ['a frame that is sent', () => sendPlain(left, 60) && left.takeErrors()],
  ])('what came while nothing was heard is counted, when %s finds it', async (_, find) => {
    sendPlain(right, 70, 71);
    expect(await lengths(left, 2)).toEqual([70, 71]);
    run('ip link set left down');
    run('ip link set left up');
    untilOperational('left', 'right');
    /* libpcap is told of the link, and hears no more. */
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
    for (let i = 0; i < 30; i++) buffers.add(plainFrame(60, i));
    expect(buffers.send(right).every((status) => status === 0)).toBe(true);
    expect(find()).toBe(1 + 30);
    sendPlain(right, 72);
    expect(await lengths(left, 1)).toEqual([72]);
    expect(left.takeErrors()).toBe(0);
  });

  test('after it was closed everything sent gets ENXIO', () => {
    left.close();
    expect(sendPlain(left, 60)).toEqual([constants.errno.ENXIO]);
  });

  test('a full transmit queue costs its frames and nothing more', async () => {
    run('tc qdisc add dev left root tbf rate 8kbit burst 1600 limit 1600');
    const statuses = sendPlain(left, ...Array(8).fill(1514));
    run('tc qdisc del dev left root');
    expect(statuses[0]).toBe(0);
    expect(statuses.filter((s) => s !== 0).length).toBeGreaterThan(3);
    expect(sendPlain(left, 60)).toEqual([0]);
    expect((await lengths(right, 2)).at(-1)).toBe(60);
  });

  test('of a superpacket whose segments fail, the record tells', () => {
    run('tc qdisc add dev left root tbf rate 8kbit burst 1600 limit 1600');
    buffers.add(tcpFrame(20_000), { [F_GSO_TYPE]: GSO_TCPV4, [F_GSO_SIZE]: 1448 });
    expect(buffers.send(left)[0]).not.toBe(0);
    run('tc qdisc del dev left root');
  });

  test('frames beyond the ring are overruns, and are counted once', async () => {
    const capacity = 1_024;
    for (let i = 0; i < capacity + 100; i++) {
      buffers.add(plainFrame(60, i));
      if (i % 64 === 63) buffers.send(left);
    }
    buffers.send(left);
    await untilWaiting(right, capacity);
    expect(right.waiting).toBe(capacity);
    expect([right.takeOverruns(), right.takeOverruns()]).toEqual([100, 0]);
  });

  test('what it sends bears the mark', async () => {
    const rules = (rule: string): void => run(`nft add table netdev t; ${rule}`);
    rules('add chain netdev t c { type filter hook egress device "left" priority 0; policy drop; }');
    expect(sendPlain(left, 60)).not.toEqual([0]);
    rules('add rule netdev t c meta mark 0x47 accept');
    expect(sendPlain(left, 61)).toEqual([0]);
    expect(await lengths(right, 1)).toEqual([61]);
    run('nft delete table netdev t');
  });

  test('a frame as long as what the library takes of one may have been longer', async () => {
    run('ip link set left mtu 65535');
    run('ip link set right mtu 65535');
    const wide = openPort('left', 65_535);
    const far = openPort('right');
    buffers.add(plainFrame(65_534));
    buffers.add(plainFrame(65_535));
    expect(buffers.send(wide)).toEqual([0, 0]);
    expect((await arrivals(buffers, far, 2)).map(({ record }) => record[F_STATUS])).toEqual([0, 1]);
    wide.close();
    far.close();
  });
});

test('an interface that does not exist, or is down, is told in the words of libpcap', () => {
  expect(() => new PcapPort('nowhere0', 1500, OPTIONS)).toThrow(/No such device exists/);
  run('ip link add left type veth peer name right');
  expect(() => new PcapPort('left', 1500, OPTIONS)).toThrow(/not up/);
  run('ip link del left');
});

test('what is not Ethernet is refused in both languages', () => {
  const text = { en: expect.stringMatching(/Ethernet .*LINUX_SLL/), ja: expect.stringMatching(/Ethernet.*LINUX_SLL/) };
  expect(() => new PcapPort('any', 1500, OPTIONS)).toThrow(expect.objectContaining({ text }));
});
