/**
 * A gateway without keys is closed: of all that its devices try, nothing passes. Once it holds a token the GMS is
 * reachable through it, on the GMS's port alone, and so it enrols: the bridge by its own address in the network, the
 * router by its kernel, whose way leads through the gateway too.
 *
 *   bridge:   h1 ── [ge-a] ── wan ── [ge-b] ── h2          routed:   h1 ── [ge-a] ── core ── [ge-b] ── server
 *                              └── gms                                            └── gms
 */
import { expect, test } from 'vitest';
import { Capture } from '#kit/capture.ts';
import type { GatewayBox } from '#kit/gateway-box.ts';
import { GMS_PORT, type GmsBox } from '#kit/gms-box.ts';
import { Lab } from '#kit/lab.ts';
import type { Machine } from '#kit/machine.ts';
import { until } from '#kit/process.ts';
import { ask, startNameServer } from '#kit/programs/dns.ts';
import { reaches } from '#kit/programs/nc.ts';
import { WebServer } from '#kit/programs/nginx.ts';
import { ping, startPinging } from '#kit/programs/ping.ts';
import { bridge, GMS, H2 } from './topologies/bridge.ts';
import { ROUTED, routed } from './topologies/routed.ts';

const NAME = 'press-7.lab';

interface Addresses {
  readonly v4: string;
  readonly v6: string;
}

/** What somebody in front of a gateway can reach beyond it, over both IP versions. */
async function look(from: Machine, gms: Addresses, far: Addresses) {
  const seen = async (v: 'v4' | 'v6') => {
    const [echo, echoOfGms, web, name, keys] = await Promise.all([
      ping(from, far[v], { wait: 1 }),
      ping(from, gms[v], { wait: 1 }),
      reaches(from, gms[v], 80, 1),
      ask(from, gms[v], NAME, 'A', 1),
      reaches(from, gms[v], GMS_PORT, 1),
    ]);
    const others = [echo.answered === 1, echoOfGms.answered === 1, web, name.addresses.length === 1];
    return { others, gms: keys };
  };
  return { v4: await seen('v4'), v6: await seen('v6') };
}

const seen = (others: boolean, gms: boolean) => {
  const one = { others: [others, others, others, others], gms };
  return { v4: one, v6: one };
};
const ALL = seen(true, true);
const NOTHING = seen(false, false);
const THE_GMS_ALONE = seen(false, true);

/** A token is used while the GMS says nothing: `during` looks around, and then the enrolment goes on. */
async function enrolSlowly(box: GatewayBox, gms: GmsBox, during: () => Promise<void>): Promise<void> {
  const token = await gms.token({ name: box.name, ...box.plan });
  gms.pause();
  const enrolling = box.command('enrol', token);
  try {
    await until(`${box.name} lets the GMS through`, async () => (await box.status()).exceptions.length > 0);
    await during();
  } finally {
    gms.resume();
    await enrolling;
  }
  await box.reaches('running');
}

test('bridge', async () => {
  await Lab.use('wire', async (lab) => {
    const net = await bridge(lab, { gateways: 'kernel' });
    const gms = await net.makeGms();
    await WebServer.start(lab, net.gmsMachine);
    await startNameServer(net.gmsMachine, { [NAME]: '192.0.2.7' });
    expect(await look(net.h1, GMS, H2)).toEqual(ALL);

    for (const box of [net.a, net.b]) await box.ceaseKernel();
    for (const box of [net.a, net.b]) await box.start();
    expect((await net.a.status()).state).toBe('closed');
    expect(await look(net.h1, GMS, H2)).toEqual(NOTHING);
    expect(await look(net.h2, GMS, GMS)).toEqual(NOTHING);
    expect((await net.a.drops())['no-keys']).toBeGreaterThan(0);

    await enrolSlowly(net.a, gms, async () => {
      expect(await look(net.h1, GMS, H2)).toEqual(THE_GMS_ALONE);
      expect(await look(net.h2, GMS, GMS)).toEqual(NOTHING);
    });
    await net.b.enrol(gms);
    expect(await look(net.h1, GMS, H2)).toEqual(ALL);
    expect((await net.a.explain(H2.v6)).verdict).toBe('encrypt');
    const { exceptions } = await net.a.status();
    const toGms = exceptions.filter((e) => e.direction === 'gms' && e.port === GMS_PORT);
    expect(toGms.reduce((sum, e) => sum + (e.hits ?? 0), 0)).toBeGreaterThan(0);
  });
});

test('router', async () => {
  await Lab.use('wire', async (lab) => {
    const net = await routed(lab, { gateways: 'kernel' });
    const gms = await net.makeGms();
    await WebServer.start(lab, net.gmsMachine);
    await startNameServer(net.gmsMachine, { [NAME]: '192.0.2.7' });
    const inFront = [net.h1, net.a.machine];
    for (const m of inFront) expect(await look(m, ROUTED.gms, ROUTED.server)).toEqual(ALL);

    await net.b.ceaseKernel();
    await net.b.start();
    await net.a.start();
    for (const m of inFront) expect(await look(m, ROUTED.gms, ROUTED.server)).toEqual(NOTHING);

    await enrolSlowly(net.a, gms, async () => {
      for (const m of inFront) expect(await look(m, ROUTED.gms, ROUTED.server)).toEqual(THE_GMS_ALONE);
    });
    await net.b.enrol(gms);
    for (const m of inFront) expect(await look(m, ROUTED.gms, ROUTED.server)).toEqual(ALL);
    expect((await net.a.explain(ROUTED.server.v4)).verdict).toBe('encrypt');
  });
});

test('open by choice: a restart lets nothing pass that the keys refuse, and nobody is cut off from protection', async () => {
  await Lab.use('wire', async (lab) => {
    const net = await bridge(lab, { gateways: 'gscip', a: { mode: 'closed', withoutKeys: 'open' } });
    const gms = await net.makeGms();
    const answers = async (to: string, count = 1) =>
      (await ping(net.h1, to, { count, interval: 0.1, wait: 1 })).answered;
    await until('the devices talk', async () => (await answers(H2.v4)) === 1);
    expect((await net.a.explain(H2.v4)).verdict).toBe('encrypt');
    /* It shares no group with anybody: what is not the GMS's port is refused. */
    expect(await answers(GMS.v4)).toBe(0);

    const capture = await Capture.start(lab, net.wan, net.wanLinks.a);
    const pinging = [H2.v4, GMS.v4].map((to) => startPinging(net.h1, to, 0.01));
    await net.a.stop();
    await net.a.start();
    await net.a.reaches('running');
    await until('the devices talk again', async () => (await answers(H2.v4)) === 1);
    for (const program of pinging) await program.stop('SIGINT');
    await capture.stop();
    expect(capture.countFramesWith()).toBe(0);
    expect((await net.a.drops())['refused-closed']).toBeGreaterThan(0);

    /* Its keys are gone: whom nobody protected it talks to, whom it protected it does not. */
    await gms.command('ge', 'remove', net.a.name);
    await net.a.reaches('open');
    expect(await answers(GMS.v4)).toBe(1);
    expect(await answers(H2.v4, 3)).toBe(0);
    expect((await net.a.drops())['refused-remembered']).toBeGreaterThanOrEqual(3);
    const { verdict, steps } = await net.a.explain(H2.v4);
    expect([verdict, steps.at(-1)?.step]).toEqual(['discard', 'remembered']);
  });
});
