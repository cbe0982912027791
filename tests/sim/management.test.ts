/** The management port, exceptions, and the time without keys. */
import { describe, expect } from 'vitest';
import { Desk } from '#datapath/desk.ts';
import type { PolicySettings } from '#datapath/messages.ts';
import type { Millis } from '#dprp/spec.ts';
import { MAC_MOVED_MS } from '#pit/macs.ts';
import { fakeFrame } from '#port/fake.ts';
import { TCP_ACK, TCP_SYN } from '#wire/tcp.ts';
import { GE_B } from '../kit/dprp-world.ts';
import { dprpType } from '../kit/sim-diagram.ts';
import { dhcp, type Ends, echo, H1, H2, icmp, read, tcp, udp } from '../kit/sim-frames.ts';
import { story } from '../kit/sim-story.ts';
import { SimWorld } from '../kit/sim-world.ts';

const MARKER = Buffer.from('marker-in-plaintext');
const BOX = { mac: '0200000000bb', v4: '10.0.0.11', v6: 'fd00::b' };
const BOX_MAC = Number.parseInt(BOX.mac, 16);
const out: Ends = { from: H1, to: H2 };

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'));

/** An Ethernet frame of this type that no IP is in. */
function other(destination: string, source: string, type: string, length = 46): Uint8Array {
  return Uint8Array.from(Buffer.concat([hex(destination), hex(source), hex(type), Buffer.alloc(length, 0x77)]));
}

const arpRequest = (from: typeof H1): Uint8Array => other('ffffffffffff', from.mac, '0806');

describe('the management port', () => {
  const settings = { managementMac: BOX_MAC };

  story(
    'takes what is for the box, and nobody else sees it',
    (world) => {
      world.key('a');
      world.sendFromH1(udp({ from: H1, to: BOX }, 1, 2, MARKER));
      world.run(10);
      expect(world.box.left.collect().map((f) => Buffer.from(read(f.bytes).payload))).toEqual([MARKER]);
      world.a.outer.inject(fakeFrame(udp({ from: H2, to: BOX }, 1, 2, MARKER)));
      world.run(10);
      expect(world.box.left.collect().length).toBe(1);
      world.run(3_000);
      expect(world.crossed).toEqual([]);
      expect(world.h1.left.collect()).toEqual([]);
      expect(world.a.datapath.pairs.size).toBe(0);
    },
    settings,
  );

  story(
    'sends on the side where the destination was learned, unnegotiated and unprotected',
    (world) => {
      world.key('a', { mode: 'closed' });
      world.sendFromH1(arpRequest(H1));
      world.a.outer.inject(fakeFrame(arpRequest(H2)));
      world.run(10);
      const seen = (): number[] => {
        world.run(10);
        const crossed = world.crossed.splice(0).length;
        return [world.h1.left.collect().length, crossed];
      };
      seen();
      world.box.left.collect();
      world.box.left.send(
        fakeFrame(tcp({ from: BOX, to: H1 }, { sourcePort: 80, destinationPort: 9, sequence: 1, flags: TCP_SYN })),
      );
      expect(seen()).toEqual([1, 0]);
      world.box.left.send(
        fakeFrame(tcp({ from: BOX, to: H2 }, { sourcePort: 80, destinationPort: 9, sequence: 1, flags: TCP_SYN })),
      );
      expect(seen()).toEqual([0, 1]);
      /* Nobody knows where: both. */
      world.box.left.send(fakeFrame(udp({ from: BOX, to: { ...H2, mac: '020000000099' } }, 1, 2, MARKER)));
      expect(seen()).toEqual([1, 1]);
      world.box.left.send(fakeFrame(arpRequest(BOX)));
      expect(seen()).toEqual([1, 1]);
      expect(world.a.datapath.pairs.size).toBe(0);
      expect(world.a.drops()).toEqual({});
    },
    settings,
  );

  story(
    'hears broadcast, and so does the other side',
    (world) => {
      world.key('a');
      world.sendFromH1(arpRequest(H1));
      world.run(10);
      expect(world.box.left.collect().length).toBe(1);
      expect(world.crossed.length).toBe(1);
      world.a.outer.inject(fakeFrame(arpRequest(H2)));
      world.run(10);
      expect(world.box.left.collect().length).toBe(1);
      expect(world.h1.left.collect().length).toBe(1);
    },
    settings,
  );

  story(
    'gets group frames of a protected pair as they were sent, the network gets them enciphered',
    (world) => {
      const keys = { groups: [{ number: 7, versions: [1], transform: 'pccom' as const }] };
      world.key('a', keys);
      world.key('b', keys);
      world.sendFromH1(udp(out, 1, 2, MARKER));
      world.run(1_000);
      world.box.left.collect();
      world.crossed.length = 0;
      world.sendFromH1(udp({ from: H1, to: { ...H2, mac: '01005e000001' } }, 1, 2, MARKER));
      world.run(10);
      expect(world.box.left.collect().map((f) => Buffer.from(read(f.bytes).payload))).toEqual([MARKER]);
      expect(world.crossed.length).toBe(1);
      expect(Buffer.from(read(world.crossed[0].frame.bytes).payload)).not.toEqual(MARKER);
    },
    settings,
  );

  story(
    'a host that moves to the other side is followed',
    (world) => {
      world.key('a');
      const answer = fakeFrame(udp({ from: BOX, to: H1 }, 1, 2, MARKER));
      world.sendFromH1(arpRequest(H1));
      world.run(10);
      world.a.outer.inject(fakeFrame(arpRequest(H1)));
      world.run(10);
      world.h1.left.collect();
      world.crossed.length = 0;
      world.box.left.send(answer);
      world.run(10);
      /* Whoever borrows an address cuts nobody off: for a while both sides are served. */
      expect([world.h1.left.collect().length, world.crossed.splice(0).length]).toEqual([1, 1]);
      world.run(MAC_MOVED_MS);
      world.box.left.send(answer);
      world.run(10);
      expect([world.h1.left.collect().length, world.crossed.length]).toEqual([0, 1]);
    },
    settings,
  );

  story(
    'a second worker learns from the first one’s news, and its tables are its own',
    (world) => {
      const second = new SimWorld(world.seed, settings);
      for (const one of [world, second]) one.key('a');
      world.sendFromH1(udp(out, 1, 2, MARKER));
      world.run(10);
      const news = world.a.told.filter((m) => m.type === 'mac');
      expect(news).toEqual([{ type: 'mac', mac: Number.parseInt(H1.mac, 16), port: 1 }]);
      const desk = new Desk(second.a.datapath, second.a.provider, 1);
      const answer = fakeFrame(udp({ from: BOX, to: H1 }, 1, 2, MARKER));
      second.box.left.send(answer);
      second.run(10);
      expect([second.h1.left.collect().length, second.crossed.splice(0).length]).toEqual([1, 1]);
      for (const message of news) if (message.type === 'mac') desk.handle(message, second.now as Millis);
      second.box.left.send(answer);
      second.run(10);
      expect([second.h1.left.collect().length, second.crossed.length]).toEqual([1, 0]);
      expect(second.a.datapath.pairs.size).toBe(0);
      expect(world.a.datapath.pairs.size).toBe(1);
    },
    settings,
  );
});

/* ---- exceptions and the time without keys ---- */

const GMS_SERVER = { mac: H2.mac, v4: '192.0.2.10', v6: 'fd02::a' };
const PRINTER = { mac: H2.mac, v4: '192.0.2.20', v6: 'fd02::14' };

const EXCEPTIONS: Partial<PolicySettings> = {
  exceptions: [
    { address: '192.0.2.10/32', protocol: 'tcp', port: 8443, direction: 'gms' },
    { address: '192.0.2.20/32', protocol: 'udp', port: 161, direction: 'out' },
    { address: '192.0.2.0/24', protocol: 'icmp', direction: 'both' },
  ],
};

const syn = (ends: Ends, sourcePort: number, destinationPort: number, flags = TCP_SYN): Uint8Array =>
  tcp(ends, { sourcePort, destinationPort, sequence: 1, flags });

/** What must pass whatever the mode, and what must not pass in closed mode. */
function always(): Uint8Array[] {
  const v6: Ends = { from: H1, to: { ...H2, mac: '3333ff000002', v6: 'ff02::1:ff00:2' }, version: 6 };
  const solicitation = icmp(v6, 135, 0, new Uint8Array(20));
  solicitation[14 + 7] = 255; /* hop limit (RFC 4861 § 7.1.1) */
  return [
    arpRequest(H1),
    other('0180c2000003', H1.mac, '888e') /* EAPOL */,
    solicitation,
    dhcp({ from: { ...H1, v4: '0.0.0.0' }, to: { ...H2, mac: 'ffffffffffff', v4: '255.255.255.255' } }, MARKER),
    dhcp({ from: H1, to: { ...H2, v6: 'ff02::1:2' }, version: 6 }, MARKER),
  ];
}

function never(): Uint8Array[] {
  const v6: Ends = { from: H1, to: H2, version: 6 };
  const forwarded = icmp(v6, 135, 0, new Uint8Array(20)); /* hop limit 64: it came from afar */
  return [
    udp(out, 1, 2, MARKER),
    udp(out, 68, 67, MARKER) /* DHCP's ports alone */,
    udp({ ...out, version: 6 }, 546, 547, MARKER),
    echo(out, 'request', 1, 1, MARKER),
    syn({ from: H1, to: GMS_SERVER }, 5000, 8444),
    udp({ from: H1, to: GMS_SERVER }, 5000, 8443, MARKER),
    udp({ from: H1, to: PRINTER }, 161, 5000, MARKER),
    forwarded,
    other('0180c2000000', H1.mac, '0026') /* spanning tree */,
    other('0180c200000e', H1.mac, '88cc') /* LLDP */,
    udp({ from: H1, to: { ...H2, mac: '01005e000001', v4: '224.0.0.251' } }, 5353, 5353, MARKER),
    udp({ from: H1, to: { ...H2, mac: 'ffffffffffff', v4: '255.255.255.255' } }, 137, 137, MARKER),
  ];
}

describe('exceptions', () => {
  for (const keyed of ['without keys', 'closed'] as const) {
    story(
      `${keyed}: ARP, discovery, DHCP and what is excepted pass, nothing else`,
      (world) => {
        if (keyed === 'closed') world.key('a', { mode: 'closed' });
        world.mallory = (frame) => dprpType(frame.bytes) === 0;
        const passing = [
          ...always(),
          syn({ from: H1, to: GMS_SERVER }, 5000, 8443),
          udp({ from: H1, to: PRINTER }, 5000, 161, MARKER),
          echo({ from: H1, to: PRINTER }, 'request', 1, 1, MARKER),
        ];
        for (const bytes of [...passing, ...never()]) world.sendFromH1(bytes);
        world.run(10_000);
        const crossed = world.crossed.filter((c) => dprpType(c.frame.bytes) === 0);
        expect(crossed.map((c) => Buffer.from(c.frame.bytes).toString('hex'))).toEqual(
          passing.map((bytes) => Buffer.from(bytes).toString('hex')),
        );
        const drops = world.a.drops();
        expect(Object.values(drops).reduce((sum, count) => sum + count, 0)).toBe(never().length);
        expect([drops['refused-non-ip'], drops['refused-multicast']]).toEqual([2, 2]);
        if (keyed === 'without keys') expect(drops['no-keys']).toBe(8);
        expect([...world.a.datapath.policy.hits]).toEqual([1, 1, 1]);
      },
      { policy: EXCEPTIONS },
    );
  }

  story(
    'the answers come back, and each is counted',
    (world) => {
      const answers = [
        syn({ from: GMS_SERVER, to: H1 }, 8443, 5000, TCP_SYN | TCP_ACK),
        udp({ from: PRINTER, to: H1 }, 161, 5000, MARKER),
        echo({ from: PRINTER, to: H1 }, 'reply', 1, 1, MARKER),
      ];
      const refused = [
        syn({ from: GMS_SERVER, to: H1 }, 8443, 5000) /* the GMS opens no connections */,
        udp({ from: PRINTER, to: H1 }, 5000, 161, MARKER) /* the exception is for what devices open */,
      ];
      for (const bytes of [...answers, ...refused]) world.a.outer.inject(fakeFrame(bytes));
      world.run(100);
      expect(world.h1.left.collect().map((f) => Buffer.from(f.bytes).toString('hex'))).toEqual(
        answers.map((bytes) => Buffer.from(bytes).toString('hex')),
      );
      expect(world.a.drops()).toEqual({ 'no-keys': 2 });
      expect([...world.a.datapath.policy.hits]).toEqual([1, 1, 1]);
    },
    { policy: EXCEPTIONS },
  );

  story(
    'a GMS behind this gateway is reached from outside',
    (world) => {
      const behind = { ...GMS_SERVER, mac: H1.mac };
      world.a.outer.inject(fakeFrame(syn({ from: H2, to: behind }, 5000, 8443)));
      world.sendFromH1(syn({ from: behind, to: H2 }, 8443, 5000, TCP_SYN | TCP_ACK));
      world.run(100);
      expect([world.h1.left.collect().length, world.crossed.length]).toEqual([1, 1]);
    },
    { policy: EXCEPTIONS },
  );

  story(
    'without keys and open by choice everything passes, and with the keys that ends',
    (world) => {
      const frames = [...always(), ...never()];
      for (const bytes of frames) world.sendFromH1(bytes);
      world.run(100);
      expect(world.crossed.length).toBe(frames.length);
      world.key('a', { mode: 'closed' });
      world.crossed.length = 0;
      world.plainHost('silent');
      world.sendFromH1(udp(out, 1, 2, MARKER));
      world.run(5_000);
      expect(world.plaintextCrossed(MARKER)).toBe(0);
    },
    { policy: { withoutKeys: 'open' } },
  );

  story(
    'without keys and open by choice nothing in plaintext goes to who was or must be protected, nor is it taken from there',
    (world) => {
      world.a.datapath.remembered.restore([{ address: H2.v4, ge: GE_B, transform: 'sealed', left: 1_000 }], world.now);
      const toV6: Ends = { ...out, version: 6 };
      const broadcast: Ends = { from: H1, to: { ...H2, mac: 'ffffffffffff' } };
      const refused = [udp(out, 1, 2, MARKER), syn(out, 5000, 80), udp(broadcast, 137, 137, MARKER)];
      for (const bytes of [...refused, udp(toV6, 1, 2, MARKER), udp({ from: H1, to: PRINTER }, 1, 2, MARKER)]) {
        world.sendFromH1(bytes);
      }
      world.a.outer.inject(fakeFrame(udp({ from: H2, to: H1 }, 1, 2, MARKER)));
      world.a.outer.inject(fakeFrame(udp({ from: PRINTER, to: H1 }, 1, 2, MARKER)));
      world.run(500);
      expect(world.a.drops()).toEqual({ 'refused-remembered': 4, 'refused-protected-prefix': 1 });
      expect([world.crossed.length, world.h1.left.collect().length]).toEqual([1, 1]);
      /* Always and everywhere: ARP, discovery, DHCP; and what an exception names. */
      for (const bytes of always()) world.sendFromH1(bytes);
      world.run(600);
      expect(world.crossed.length).toBe(1 + always().length);
      world.sendFromH1(udp(out, 1, 2, MARKER));
      world.run(100);
      expect(world.plaintextCrossed(MARKER)).toBe(2 + always().filter((b) => Buffer.from(b).includes(MARKER)).length);
    },
    { policy: { withoutKeys: 'open', protectedPrefixes: [`${H2.v6}/128`] } },
  );

  story('a port that goes down and comes back is told as an error, and traffic goes on', (world) => {
    world.key('a');
    world.key('b');
    world.sendFromH1(udp(out, 1, 2, MARKER));
    world.run(500);
    world.wire.setUp(false);
    world.sendFromH1(udp(out, 1, 2, MARKER));
    world.run(2_000);
    expect(world.a.drops()).toEqual({ 'port-down': 1, 'port-receive-error': 1 });
    world.wire.setUp(true);
    world.sendFromH1(udp(out, 1, 2, MARKER));
    world.run(500);
    expect(world.h2.left.collect().length).toBe(2);
  });
});
