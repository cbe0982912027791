/**
 * A host without a gateway, seen from an open and from a closed one: the open one lets plaintext pass, the closed one
 * refuses, both ways, and says why; members of its group reach it all the same.
 */
import { describe, expect, test } from 'vitest';
import type { ExplainView, FlowsView } from '#api/views.ts';
import { Capture } from '#kit/capture.ts';
import { Lab } from '#kit/lab.ts';
import type { Machine } from '#kit/machine.ts';
import { MARKERS, PING_MARKER } from '#kit/payload.ts';
import { framesWith, tcpSegment } from '#kit/pcap.ts';
import { download, url } from '#kit/programs/curl.ts';
import { reaches } from '#kit/programs/nc.ts';
import { WebServer } from '#kit/programs/nginx.ts';
import { ping } from '#kit/programs/ping.ts';
import { MIXED, mixed, TRANSFORMS } from './topologies/mixed.ts';

const TCP = 6;
const VERSIONS = ['v4', 'v6'] as const;

/** Whether anything of a machine is reached: by ping, by TCP. */
async function touches(from: Machine, to: string) {
  const [echo, connection] = await Promise.all([ping(from, to, { wait: 1 }), reaches(from, to, 80, 1)]);
  return { echo: echo.answered > 0, connection };
}

describe.each([1, 2])('workers: %i', (workers) => {
  test('open passes, closed refuses', async () => {
    await Lab.use('wire', async (lab) => {
      const net = await mixed(lab, { gateways: 'gscip', workers });
      const [web1, web2, web3] = [net.server1, net.server2, net.h3].map((m) => WebServer.start(lab, m));
      const files = {
        s1: (await web1).file('f', 100_000),
        s2: (await web2).file('f', 100_000),
        h3: (await web3).file('f', 100_000),
      };

      for (const v of VERSIONS) {
        /* An outsider and the open gateways, both ways, first packets included. */
        const capture = await Capture.start(lab, net.core, 'h3');
        expect((await ping(net.h1, MIXED.h3[v])).answered).toBe(1);
        const [echo] = await net.a.flows({ peer: MIXED.h3[v] });
        expect(echo).toMatchObject({ verdict: 'plain', packetsOut: 1, packetsIn: 1 });
        expect((await ping(net.h3, MIXED.server1[v])).answered).toBe(1);
        expect((await download(net.h2, url(MIXED.h3[v], 'f'))).checksum).toBe(files.h3.checksum);
        expect((await download(net.h3, url(MIXED.server1[v], 'f'))).checksum).toBe(files.s1.checksum);
        await capture.stop();
        expect(capture.countFramesWith([PING_MARKER])).toBe(4);

        /* The closed one: what comes from outside does not get in, what its device sends does not get out. */
        const inside = await Capture.start(lab, net.server2, 'eth0', { filter: ['src', MIXED.h3[v]] });
        const outside = await Capture.start(lab, net.h3, 'eth0', { filter: ['src', MIXED.server2[v]] });
        const vain = [
          ...(await Promise.all([touches(net.h3, MIXED.server2[v]), touches(net.server2, MIXED.h3[v])])),
          /* Members of no common group are outsiders to it as well. */
          await touches(net.server1, MIXED.server2[v]),
        ];
        expect(vain).toEqual(vain.map(() => ({ echo: false, connection: false })));
        expect(await inside.stop()).toEqual([]);
        const got = await outside.stop();
        expect(framesWith(got, MARKERS)).toEqual([]);
        /* Nor a connection's beginning, which shows no marker. */
        expect(got.filter(tcpSegment)).toEqual([]);
        expect((await download(net.h1, url(MIXED.server2[v], 'f'))).checksum).toBe(files.s2.checksum);
      }

      const refused = await net.c.pairs({ peer: MIXED.h3.v4 });
      expect(refused).toMatchObject([{ verdict: 'discard', reason: 'own-mode-closed' }]);
      expect((await net.c.drops())['refused-closed']).toBeGreaterThan(0);
      const passed = await net.b.pairs({ peer: MIXED.h3.v4 });
      expect(passed).toMatchObject([{ verdict: 'plain' }]);

      /* The command line says the same, with the reason. */
      for (const v of VERSIONS) {
        const closed = JSON.parse(await net.c.command('explain', MIXED.h3[v])) as ExplainView;
        expect(closed).toMatchObject({ class: 'pair', verdict: 'discard', reason: 'own-mode-closed' });
        const open = JSON.parse(await net.b.command('explain', MIXED.h3[v])) as ExplainView;
        expect(open).toMatchObject({ class: 'pair', verdict: 'plain' });
        const known = JSON.parse(await net.a.command('flows', '--peer', MIXED.server2[v])) as FlowsView;
        expect(known.total).toBeGreaterThan(0);
        for (const flow of known.flows) expect(flow).toMatchObject({ verdict: 'encrypt', transform: TRANSFORMS.vault });
        const outside = JSON.parse(await net.a.command('flows', '--peer', MIXED.h3[v])) as FlowsView;
        expect(outside.flows.map((f) => f.protocol)).toContain(TCP);
        for (const flow of outside.flows) expect(flow.verdict).toBe('plain');
      }
    });
  });
});
