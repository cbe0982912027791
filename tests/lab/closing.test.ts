/**
 * The ends of a gateway. Stopped or killed it leaves the way shut, by rules that are the kernel's; `release` alone
 * opens it, says so in the audit, and the next run shuts it again.
 *
 *   bridge:   h1 ── [ge-a] ── wan ── [ge-b] ── h2          routed:   h1 ── [ge-a] ── core ── [ge-b] ── server
 *                      here ─┘                                             here ─┘
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { GatewayClient } from '#cli/client.ts';
import { sayIn } from '#cli/messages.ts';
import { Capture } from '#kit/capture.ts';
import type { GatewayBox } from '#kit/gateway-box.ts';
import { Lab } from '#kit/lab.ts';
import type { Machine } from '#kit/machine.ts';
import { until } from '#kit/process.ts';
import { startDownload, url } from '#kit/programs/curl.ts';
import { WebServer } from '#kit/programs/nginx.ts';
import { ping } from '#kit/programs/ping.ts';
import { bridge, H1, H2 } from './topologies/bridge.ts';
import { ROUTED, routed } from './topologies/routed.ts';

const BYTES = 30_000_000;
const REASON = 'the pump must run tonight';

interface Addresses {
  readonly v4: string;
  readonly v6: string;
}

interface Place {
  readonly client: Machine;
  readonly server: Machine;
  readonly from: Addresses;
  readonly to: Addresses;
  readonly a: GatewayBox;
  readonly b: GatewayBox;
  /** Links that ge-a's traffic goes through. */
  readonly ports: readonly string[];
  /** Where everything that ge-a sends to the network is seen. */
  readonly beyond: readonly [Machine, string];
}

const places = {
  async bridge(lab: Lab): Promise<Place> {
    const { h1: client, h2: server, a, b, wan, wanLinks } = await bridge(lab, { gateways: 'gscip' });
    const ports = ['outer', 'inner', 'gscip-mgmt'];
    return { client, server, from: H1, to: H2, a, b, ports, beyond: [wan, wanLinks.a] };
  },
  async router(lab: Lab): Promise<Place> {
    const { h1: client, server, a, b, core } = await routed(lab, { gateways: 'gscip' });
    const ports = ['gscip-outer', 'gscip-inner'];
    return { client, server, from: ROUTED.h1, to: ROUTED.server, a, b, ports, beyond: [core, 'a'] };
  },
};

/** The ports of a box that the kernel's own rules shut, both ways. */
async function shutPorts(box: GatewayBox): Promise<string[]> {
  const { stdout } = await box.machine.try('nft', 'list', 'ruleset');
  const shut = (hook: string) =>
    [...stdout.matchAll(new RegExp(`hook ${hook} devices? (?:= \\{ )?"?([\\w-]+)"?.*policy drop;`, 'g'))].map(
      (m) => m[1],
    );
  const [ingress, egress] = [shut('ingress'), shut('egress')];
  return ingress.filter((p) => egress.includes(p)).sort();
}

async function answers(from: Machine, to: Addresses): Promise<number> {
  const both = await Promise.all([to.v4, to.v6].map((a) => ping(from, a, { wait: 1 })));
  return both.reduce((sum, p) => sum + p.answered, 0);
}

test.each(Object.entries(places))('%s', async (_, make) => {
  await Lab.use('wire', async (lab) => {
    const { client, server, from, to, a, b, ports, beyond } = await make(lab);
    const web = await WebServer.start(lab, server);
    const file = web.file('image', BYTES);

    /* A stop in the middle of a download; it goes on with the next run. */
    const running = startDownload(client, url(to.v4, 'image'), { limitRate: '20M' });
    await running.reached(BYTES / 10);
    await a.stop();
    const stopped = await Capture.start(lab, ...beyond, { direction: 'in', snapshot: 96 });
    expect(await shutPorts(a)).toEqual([...ports].sort());
    expect(await answers(client, to)).toBe(0);
    expect(await answers(server, from)).toBe(0);
    expect(await stopped.stop()).toEqual([]);
    await a.start();
    await a.reaches('running');
    expect(await running.done).toMatchObject({ exitCode: 0, bytes: BYTES, checksum: file.checksum });

    /* Both IP versions have been protected once, and are remembered as such. */
    expect(await answers(client, to)).toBe(2);
    expect((await a.pairs()).map((p) => p.verdict)).toEqual(['encrypt', 'encrypt']);

    /* Opened by a person. */
    for (const box of [a, b]) await box.release(REASON);
    const open = await Capture.start(lab, ...beyond);
    expect(await answers(client, to)).toBe(2);
    await open.stop();
    expect(open.countFramesWith()).toBe(4);
    expect(await shutPorts(a)).toEqual([]);
    const audit = readFileSync(join(a.state, 'audit.jsonl'), 'utf8').trim().split('\n');
    expect(JSON.parse(audit.at(-1) ?? '')).toMatchObject({ action: 'release', reason: REASON, person: 'root' });

    /* Shut again: what was protected once is not spoken to in plaintext, though the far side is still open. */
    await a.start();
    await a.reaches('running');
    expect(await shutPorts(a)).toEqual([...ports].sort());
    const closed = await Capture.start(lab, ...beyond);
    expect(await answers(client, to)).toBe(0);
    await b.start();
    await b.reaches('running');
    /* What ge-b's side begins ends ge-a's refusal before its time. */
    await until('the pairs are protected again', async () => (await answers(server, from)) === 2);
    expect(await answers(client, to)).toBe(2);
    await closed.stop();
    expect(closed.countFramesWith()).toBe(0);
  });
});

test('a gateway that is asked to stop while it starts ends as one that runs, and leaves the way shut', async () => {
  await Lab.use('wire', async (lab) => {
    const net = await bridge(lab, { gateways: 'kernel' });
    await net.a.ceaseKernel();
    const ended = net.a.startInVain();
    const client = new GatewayClient(net.a.state, sayIn('en'));
    await until('ge-a can be asked', () => client.running());
    await client.stop(REASON);
    expect(await ended).toMatchObject({ code: 0 });
    expect((await ping(net.h1, H2.v4, { wait: 1 })).answered).toBe(0);
  });
});
