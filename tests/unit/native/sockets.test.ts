/** What the addon's socket functions refuse, and how a thread waits. What sockets do is in ../port/. */

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { readable } from '#kit/readable.ts';
import { native } from '#native/native.ts';
import { F_STRIDE, SLOT_SIZE } from '#wire/record.ts';

const POLLIN = 1;
const POLLNVAL = 32;
/** Longer than any test may take, ms. */
const FOREVER = 3_600_000;
const MODULE = new URL('../../../gateway/native/native.ts', import.meta.url).href;

describe('bounds', () => {
  const slab = new Uint8Array(2 * SLOT_SIZE);
  const batch = new Int32Array(2 * F_STRIDE);

  test('receive refuses slots outside slab or batch', () => {
    expect(() => native.receive(0, slab, batch, 1, 2)).toThrow(/firstSlot and max/);
    expect(() => native.receive(0, slab, new Int32Array(F_STRIDE), 0, 2)).toThrow(RangeError);
    expect(() => native.receive(0, slab.subarray(1), batch, 1, 1)).toThrow(RangeError);
    expect(() => native.receive(0, slab, batch, -1, 1)).toThrow(/firstSlot/);
    expect(() => native.receive(-1, slab, batch, 0, 1)).toThrow(/fd/);
  });

  test('transmit refuses records outside the batch', () => {
    expect(() => native.transmit(0, slab, batch, 1, 2, -1)).toThrow(/first and count/);
    expect(() => native.transmit(0, slab, batch, 2 ** 31, 1, -1)).toThrow(RangeError);
    expect(() => native.transmit(0, batch as unknown as Uint8Array, batch, 0, 1, -1)).toThrow(/slab/);
  });

  test('a program is whole instructions, and members are few', () => {
    const open = (members: number, program: Uint8Array): unknown => native.openSockets('lo', members, 0, 1, 1, program);
    expect(() => open(1, new Uint8Array(0))).toThrow(/program/);
    expect(() => open(1, new Uint8Array(7))).toThrow(/program/);
    expect(() => open(1, new Uint8Array(8 * 257))).toThrow(/program/);
    expect(() => open(0, new Uint8Array(8))).toThrow(/members/);
    expect(() => open(65, new Uint8Array(8))).toThrow(/members/);
    expect(() => native.openSockets('a-name-of-sixteen', 1, 0, 1, 1, new Uint8Array(8))).toThrow(/name/);
  });

  test('a descriptor that is not ours is not closed', () => {
    const file = openSync('/dev/null', 'r');
    expect(() => native.closeSocket(file)).toThrow(/packet socket or event/);
    closeSync(file);
    expect(() => native.closeSocket(file)).toThrow(RangeError);
  });

  test('only a packet socket is adopted', () => {
    const event = native.createEvent();
    expect(() => native.adoptSocket(event, 1, 1)).toThrow(/fd: open packet socket/);
    expect(() => native.adoptSocket(event, -1, 1)).toThrow(/mark/);
    expect(() => native.adoptSocket(event, 1, 0)).toThrow(/sendBytes/);
    native.closeSocket(event);
  });

  test('what was taken in is added where there is room for a number', () => {
    const event = native.createEvent();
    expect(() => native.takeOverruns(event, new Int32Array(0))).toThrow(/accepted/);
    expect(() => native.takeOverruns(event, new Int32Array(1))).toThrow(/PACKET_STATISTICS/);
    native.closeSocket(event);
  });

  test('a descriptor that is no socket is an error code, not an exception', () => {
    const event = native.createEvent();
    expect(native.receive(event, slab, batch, 0, 1)).toBeLessThan(0);
    native.closeSocket(event);
  });
});

describe('events', () => {
  test('tell which is signalled, until it is cleared', () => {
    const fds = [native.createEvent(), native.createEvent()];
    expect(readable(fds, 0)).toEqual([0, 0]);
    native.signalEvent(fds[1]);
    native.signalEvent(fds[1]);
    expect(readable(fds, FOREVER)).toEqual([0, POLLIN]);
    native.clearEvent(fds[1]);
    native.clearEvent(fds[1]);
    expect(readable(fds, 0)).toEqual([0, 0]);
    for (const fd of fds) native.closeSocket(fd);
    expect(readable(fds, FOREVER)).toEqual([POLLNVAL, POLLNVAL]);
  });

  test('wake a thread that waits without end', async () => {
    const event = native.createEvent();
    const worker = new Worker(
      `import { native } from ${JSON.stringify(MODULE)};
       import { parentPort, workerData } from 'node:worker_threads';
       const ready = new Int32Array(1);
       const clock = Float64Array.of(0, Infinity);
       parentPort.postMessage('waiting');
       native.next(Int32Array.of(workerData), 1, ready, clock, new Uint8Array(0), new Int32Array(0), new Int32Array(1));
       parentPort.postMessage(ready[0]);`,
      { eval: true, workerData: event, execArgv: ['--input-type=module'] },
    );
    const ended = once(worker, 'exit');
    expect(await once(worker, 'message')).toEqual(['waiting']);
    native.signalEvent(event);
    expect(await once(worker, 'message')).toEqual([POLLIN]);
    await ended;
    native.closeSocket(event);
  });
});

describe('next', () => {
  const slab = new Uint8Array(2 * SLOT_SIZE);
  const batch = new Int32Array(2 * F_STRIDE);
  const most = Int32Array.of(2);
  const now = (): number => Number(process.hrtime.bigint()) / 1e6;

  test('tells the time, at the moment that was asked for or when an event comes before', () => {
    const event = native.createEvent();
    const ready = new Int32Array(1).fill(-1);
    const clock = new Float64Array(2);
    const until = now() + 5;
    clock[1] = until;
    expect(native.next(Int32Array.of(event), 1, ready, clock, slab, batch, most)).toBe(0);
    expect(clock[0]).toBeGreaterThanOrEqual(until);
    expect(clock[0]).toBeLessThanOrEqual(now());
    expect(ready[0]).toBe(0);
    native.signalEvent(event);
    clock[1] = Number.POSITIVE_INFINITY;
    expect(native.next(Int32Array.of(event), 1, ready, clock, slab, batch, most)).toBe(0);
    expect(ready[0]).toBe(POLLIN);
    expect(clock[0]).toBeLessThanOrEqual(now());
    native.closeSocket(event);
  });

  test('a moment that is over, or no number, is not waited for', () => {
    const event = native.createEvent();
    const before = now();
    for (const until of [0, -1, Number.NEGATIVE_INFINITY, Number.NaN, before]) {
      const clock = Float64Array.of(0, until);
      expect(native.next(Int32Array.of(event), 1, new Int32Array(1), clock, slab, batch, most)).toBe(0);
      expect(clock[0]).toBeGreaterThanOrEqual(before);
    }
    native.closeSocket(event);
  });

  test('takes no frames from the descriptor of events, and reports what fails of another', () => {
    const fds = Int32Array.of(native.createEvent(), native.createEvent());
    const ready = new Int32Array(2);
    const clock = Float64Array.of(0, Number.POSITIVE_INFINITY);
    native.signalEvent(fds[0]);
    expect(native.next(fds, 2, ready, clock, slab, batch, most)).toBe(0);
    expect([...ready]).toEqual([POLLIN, 0]);
    native.signalEvent(fds[1]);
    expect(native.next(fds, 2, ready, clock, slab, batch, most)).toBe(-constants.errno.ENOTSOCK);
    expect([...ready]).toEqual([POLLIN, POLLIN]);
    for (const fd of fds) native.closeSocket(fd);
  });

  test('says so when the system cannot wait: a worker that went on would spin', () => {
    /* ppoll(2) refuses more descriptors than the process may have open. */
    const program = `
      import { execFileSync } from 'node:child_process';
      import { native } from ${JSON.stringify(MODULE)};
      const fds = Int32Array.of(-1, -1);
      const next = () => native.next(fds, 2, new Int32Array(2), new Float64Array(2), new Uint8Array(0), new Int32Array(0), new Int32Array(1));
      const before = next();
      execFileSync('prlimit', ['--nofile=1:1', '--pid', String(process.pid)]);
      let said = '';
      try { next(); } catch (error) { said = error.message; }
      process.stdout.write(JSON.stringify([before, said]));`;
    const out = execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
    expect(JSON.parse(out)).toEqual([0, expect.stringMatching(/^waiting for frames .*: Invalid argument/)]);
  });

  test('refuses what does not fit', () => {
    const next = (fds: Int32Array, count: number, ready: Int32Array, clock: Float64Array, limits = most): unknown =>
      native.next(fds, count, ready, clock, slab, batch, limits);
    const [one, clock] = [new Int32Array(1), new Float64Array(2)];
    expect(() => next(one, 2, new Int32Array(2), clock)).toThrow(/count/);
    expect(() => next(new Int32Array(2), 2, one, clock)).toThrow(/count/);
    expect(() => next(one, 0, one, clock)).toThrow(/count/);
    expect(() => next(new Int32Array(100), 65, new Int32Array(100), clock)).toThrow(/count/);
    expect(() => next(one, 1, one, new Float64Array(1))).toThrow(/clock/);
    expect(() => next(one, 1, one, new BigInt64Array(2) as unknown as Float64Array)).toThrow(/clock/);
    const two = Int32Array.of(-1, -1);
    expect(() => next(two, 2, new Int32Array(2), clock, new Int32Array(0))).toThrow(/count/);
    for (const frames of [3, -1]) {
      expect(() => next(two, 2, new Int32Array(2), clock, Int32Array.of(frames))).toThrow(/firstSlot and max/);
    }
  });
});
