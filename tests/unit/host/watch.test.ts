/** The watch over a machine in memory, whose kernel binds drops to devices; time moves as the test says. */
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import type { BridgeConfig } from '#config/config.ts';
import { apply } from '#host/host.ts';
import { plan, survey } from '#host/plan.ts';
import { type HostEvent, watch } from '#host/watch.ts';
import { FakeMachine } from '#kit/fake-machine.ts';

const CONFIG: BridgeConfig = {
  kind: 'bridge',
  outer: 'eth0',
  inner: 'eth1',
  management: undefined,
  workers: 1,
  port: 'pcap',
  cipher: 'noble',
  withoutKeys: 'closed',
  nonIp: 'by-mode',
  exceptions: [],
  language: undefined,
};

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

/** Lets everything happen that follows from what happened, without a timer; and then so much time pass. */
async function pass(ms = 0): Promise<void> {
  for (let i = 0; i < 200; i++) await new Promise((resolve) => setImmediate(resolve));
  if (ms === 0) return;
  await vi.advanceTimersByTimeAsync(ms);
  await pass();
}

/** A bridge that is watched. Who is told that a port is back throws as long as there are `refusals`. */
async function watched(mtus: readonly [number, number] = [1_500, 1_500]) {
  const machine = new FakeMachine();
  machine.plugIn('eth0', mtus[0]);
  machine.plugIn('eth1', mtus[1]);
  const hostPlan = plan(CONFIG, await survey(machine));
  const applied = await apply(hostPlan, machine);
  const events: HostEvent[] = [];
  const refusals: string[] = [];
  const onEvent = (event: HostEvent): void => {
    events.push(event);
    const refusal = event.event === 'port-back' ? refusals.pop() : undefined;
    if (refusal !== undefined) throw new Error(refusal);
  };
  const watching = await watch(hostPlan, applied.ports, onEvent, machine);
  onTestFinished(() => watching.close());
  await pass();
  machine.runs.length = 0;
  events.length = 0;
  return { machine, events, refusals, applied };
}

const names = (events: readonly HostEvent[]) => events.map(({ event }) => event);

describe('a port that is away, on a kernel whose drops end with their device', () => {
  test('is waited for in silence', async () => {
    const { machine, events } = await watched();
    machine.unplug('eth0');
    await pass(10_000);
    expect(names(events)).toEqual(['port-gone']);
    expect(machine.ran('nft -f')).toBe(0);
    expect(machine.ran('nft list')).toBeLessThan(20);

    machine.plugIn('eth0');
    await pass(10_000);
    expect(events.slice(1)).toEqual([{ event: 'port-back', port: 'outer', name: 'eth0' }]);
    expect(machine.isUp('eth0')).toBe(true);
  });

  test('is closed by the belt, which is put back when somebody removes it', async () => {
    const { machine, events } = await watched();
    machine.unplug('eth0');
    await pass();
    machine.removeTables('inet');
    await pass(3_000);
    expect(machine.ran('nft -f')).toBe(1);
    expect(await machine.run('nft', ['list', 'table', 'inet', 'gscip'])).toContain('iifname { "eth0", "eth1" } drop');
    expect(events.at(-1)).toEqual({ event: 'drops-restored', names: ['eth0', 'eth1'] });
  });

  test('a belt that is removed while all ports are there comes back as well, and nothing is repeated', async () => {
    const { machine, events } = await watched();
    machine.removeTables('arp');
    await pass(3_000);
    expect(events).toEqual([{ event: 'drops-restored', names: ['eth0', 'eth1'] }]);
    expect(machine.ran('nft -f')).toBe(1);
    machine.removeTables('netdev', 'inet', 'arp');
    await pass(3_000);
    expect(names(events)).toEqual(['drops-restored', 'drops-restored']);
    for (const port of ['eth0', 'eth1']) expect(machine.isUp(port)).toBe(true);
  });
});

describe('what fails is tried again', () => {
  test('both monitors, when they end one after the other', async () => {
    const { machine, events } = await watched();
    machine.endMonitors('ip');
    await pass(200);
    machine.endMonitors('nft');
    await pass(5_000);
    expect(machine.started).toEqual({ ip: 2, nft: 2 });
    expect(names(events)).toEqual(['trouble', 'trouble']);
    machine.removeTables('netdev');
    await pass();
    expect(names(events)).toEqual(['trouble', 'trouble', 'drops-restored']);
  });

  test('a monitor and a look', async () => {
    const { machine, events } = await watched();
    machine.endMonitors('nft');
    await pass(200);
    machine.failing.add('ip -j');
    machine.setMtu('eth0', 1_400);
    await pass(200);
    machine.failing.clear();
    await pass(5_000);
    expect(machine.started).toEqual({ ip: 1, nft: 2 });
    expect(events.filter(({ event }) => event !== 'trouble')).toEqual([{ event: 'mtu', mtu: 1_400 }]);
  });

  test('a monitor and a port that is back and could not be opened', async () => {
    const { machine, events, refusals } = await watched();
    machine.unplug('eth1');
    await pass();
    machine.endMonitors('ip');
    refusals.push('not now');
    machine.removeTables('inet');
    machine.plugIn('eth1');
    machine.removeTables('inet');
    await pass(5_000);
    expect(machine.started).toEqual({ ip: 2, nft: 1 });
    expect(events.filter(({ event }) => event === 'port-back').length).toBe(2);
  });

  test('a monitor that cannot be started', async () => {
    const { machine, events } = await watched();
    const start = vi.spyOn(machine, 'monitor').mockImplementation(() => {
      throw new Error('no process for it');
    });
    machine.endMonitors('ip');
    await pass(3_500);
    expect(start).toHaveBeenCalledTimes(3);
    start.mockRestore();
    await pass(1_000);
    expect(machine.started).toEqual({ ip: 2, nft: 1 });
    expect(names(events)).toEqual(['trouble', 'trouble', 'trouble', 'trouble']);
  });
});

describe('the MTU', () => {
  test('is that of the smaller port, and each port has room for tags on top', async () => {
    const { machine, applied } = await watched([9_000, 1_500]);
    expect(applied.ports.mtu).toBe(1_500);
    expect([machine.mtuOf('eth0'), machine.mtuOf('eth1')]).toEqual([9_008, 1_508]);
  });

  test('of a port that comes back with another one is told before the port is opened', async () => {
    const { machine, events } = await watched([9_000, 9_000]);
    machine.unplug('eth0');
    await pass();
    machine.plugIn('eth0', 1_500);
    await pass(2_000);
    expect(names(events)).toEqual(['port-gone', 'mtu', 'port-back']);
    expect(events[1]).toEqual({ event: 'mtu', mtu: 1_500 });
    expect(machine.mtuOf('eth0')).toBe(1_508);
  });

  test('that somebody sets becomes the port’s own, and is told where it counts', async () => {
    const { machine, events } = await watched([9_000, 9_000]);
    machine.setMtu('eth1', 4_000);
    await pass(2_000);
    expect(events).toEqual([{ event: 'mtu', mtu: 4_000 }]);
    expect([machine.mtuOf('eth0'), machine.mtuOf('eth1')]).toEqual([9_008, 4_008]);
    machine.setMtu('eth0', 8_000);
    await pass(2_000);
    expect(events.length).toBe(1);
    machine.setMtu('eth1', 9_000);
    await pass(2_000);
    expect(events.slice(1)).toEqual([{ event: 'mtu', mtu: 8_000 }]);
    expect(machine.ran('ip link set dev eth1 mtu')).toBe(2);
  });

  test('stays what it was while a port is away', async () => {
    const { machine, events } = await watched([9_000, 1_500]);
    machine.unplug('eth1');
    await pass(2_000);
    expect(names(events)).toEqual(['port-gone']);
  });
});
