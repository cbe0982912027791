/**
 * Two gateways of one group between devices that know nothing of them: everything the devices do works, over both IP
 * versions, and nothing of it can be read between the gateways. With the gateways released the same look sees
 * plaintext.
 */
import { describe, expect, test } from 'vitest';
import { Capture } from '#kit/capture.ts';
import type { GatewayBox } from '#kit/gateway-box.ts';
import { Lab } from '#kit/lab.ts';
import type { Machine } from '#kit/machine.ts';
import { MARKERS } from '#kit/payload.ts';
import { framesWith } from '#kit/pcap.ts';
import { failedVisits, type Services, startServices, visit } from '#kit/services.ts';
import { bridge, H2 } from './topologies/bridge.ts';
import { ROUTED, routed } from './topologies/routed.ts';

interface Place {
  readonly lab: Lab;
  readonly client: Machine;
  readonly server: Machine;
  readonly addresses: readonly string[];
  /** Where the frames between the gateways are seen. */
  readonly between: readonly [Machine, string];
  readonly boxes: readonly GatewayBox[];
}

const FILE_BYTES = 5_000_000;

const places = {
  async 'bridge and bridge'(lab: Lab, workers: number): Promise<Place> {
    const net = await bridge(lab, { gateways: 'gscip', workers });
    const between = [net.wan, net.wanLinks.a] as const;
    return { lab, client: net.h1, server: net.h2, addresses: [H2.v4, H2.v6], between, boxes: [net.a, net.b] };
  },
  async 'router and bridge'(lab: Lab, workers: number): Promise<Place> {
    const net = await routed(lab, { gateways: 'gscip', workers });
    const addresses = [ROUTED.server.v4, ROUTED.server.v6];
    return { lab, client: net.h1, server: net.server, addresses, between: [net.core, 'a'], boxes: [net.a, net.b] };
  },
};

/** Visits the addresses; returns what a capture between the gateways saw of it. */
async function seenBetween(place: Place, services: Services, addresses: readonly string[]) {
  const capture = await Capture.start(place.lab, ...place.between);
  for (const address of addresses) {
    expect(failedVisits(await visit(place.client, services, address))).toEqual([]);
  }
  const frames = await capture.stop();
  return { frames: frames.length, readable: framesWith(frames, MARKERS).length };
}

describe.each(Object.entries(places))('%s', (_, make) => {
  test.each([1, 2])('workers: %i', async (workers) => {
    await Lab.use('wire', async (lab) => {
      const place = await make(lab, workers);
      const services = await startServices(lab, place.server, FILE_BYTES);

      const protectedly = await seenBetween(place, services, place.addresses);
      expect(protectedly.frames).toBeGreaterThan(1_000);
      expect(protectedly.readable).toBe(0);
      for (const box of place.boxes) {
        const pairs = await box.pairs();
        expect(pairs.map((p) => p.verdict)).toEqual(place.addresses.map(() => 'encrypt'));
        expect((await box.status()).workers).toBe(workers);
      }

      for (const box of place.boxes) await box.release('the control of this test');
      expect((await seenBetween(place, services, place.addresses.slice(0, 1))).readable).toBeGreaterThan(100);
    });
  });
});
