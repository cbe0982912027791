/**
 * What happens where the system allows less locked memory than keys would take: told and survived, never an exception.
 */
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { MAX_WIDE_KEYS } from '#datapath/key-places.ts';
import { native } from '#native/native.ts';
import { createNativeProvider } from '#transform/providers/native.ts';

const WITHOUT_CAPABILITY = ['--bounding-set=-ipc_lock', '--inh-caps=-ipc_lock'];
const CHUNK = 65_536;
/** Keys of HCTR2 in a chunk. */
const CHUNK_KEYS = 78;

/** What `program` prints as JSON, run without CAP_IPC_LOCK and with `bytes` of locked memory. */
function within<T>(bytes: number, program: string): T {
  const resolved = program.replace(/'#([^']+)'/g, (_, name: string) =>
    JSON.stringify(new URL(`../../../gateway/${name}`, import.meta.url).href),
  );
  const bounded = ['setpriv', ...WITHOUT_CAPABILITY, process.execPath, '--input-type=module', '-e', resolved];
  return JSON.parse(execFileSync('prlimit', [`--memlock=${bytes}:${bytes}`, ...bounded], { encoding: 'utf8' })) as T;
}

/** A table of associations on the addon; `agree` installs a pccom agreement of a new pair. */
const TABLE = `
  import { native } from '#native/native.ts';
  import { Associations } from '#datapath/associations.ts';
  import { PairTable } from '#pit/pairs.ts';
  import { NO_KEY } from '#transform/cipher.ts';
  import { createNativeProvider } from '#transform/providers/native.ts';
  const provider = createNativeProvider();
  const associations = new Associations(provider, () => {});
  let refusals = 0;
  associations.onNoRoom = () => refusals++;
  const pairs = new PairTable({ capacity: 4096, idleMs: 1e9, random: (into) => into.fill(7), onForget() {} });
  let next = 0;
  const agree = (transform = 'pccom') => {
    const pair = pairs.findOrAdd(Int32Array.of(0, 0, 0xffff, ++next), Int32Array.of(0, 0, 0xffff, -next), 4, next);
    return associations.install(pair, {
      pair: { device: new Uint8Array(16), peer: new Uint8Array(16) }, negotiation: String(next), role: 'responder',
      peerGe: 'a', initiatorGe: 'a', group: 7, keyVersion: 1, transform, generation: 0, algorithm: 0,
      prk: provider.importKey(new Uint8Array(32).fill(next)), transcript: new Uint8Array(32),
      peerStatement: new Uint8Array(0), sends: false, peerSends: undefined, common: 0, took: 0,
    }, next);
  };
  const print = (value) => process.stdout.write(JSON.stringify(value));
`;

test('what the system allows is known, with the capability and without', () => {
  const program = `
    import { native } from '#native/native.ts';
    process.stdout.write(JSON.stringify(native.lockedMemory()));`;
  expect(within<number>(1_234_944, program)).toBe(1_234_944);
  const all = ['--memlock=4096:4096', process.execPath, '--input-type=module', '-e'];
  const module = JSON.stringify(new URL('../../../gateway/native/native.ts', import.meta.url).href);
  const shown = execFileSync('prlimit', [
    ...all,
    `import { native } from ${module}; process.stdout.write(String(native.lockedMemory()));`,
  ]);
  expect(String(shown)).toBe('Infinity');
});

test('what is said to be needed is what is taken', () => {
  const program = (wide: number): string => `${TABLE}
    const prk = provider.importKey(new Uint8Array(32));
    const keys = Array.from({ length: ${wide} }, () => provider.expandWide(prk, new Uint8Array(1)));
    print(keys.filter((key) => key === NO_KEY).length);`;
  /* One thread: main's without a worker's places. */
  const places = native.keyMemory(1, 0) - native.keyMemory(0, 0);
  const needed = native.keyMemory(1, MAX_WIDE_KEYS) - places;
  expect(within<number>(needed, program(MAX_WIDE_KEYS))).toBe(0);
  expect(within<number>(needed - CHUNK, program(MAX_WIDE_KEYS))).toBeGreaterThan(0);
});

test('a pair without room is refused; it has its keys once there is room again', () => {
  const outcome = within<Record<string, unknown>>(
    native.keyMemory(0, 0) + CHUNK,
    `${TABLE}
    const prk = provider.importKey(new Uint8Array(32));
    const others = [];
    for (let key; (key = provider.expandWide(prk, new Uint8Array(1))) !== NO_KEY; ) others.push(key);
    const before = [agree(), agree('pccom-keyed')].map((a) => a === undefined);
    const sealed = agree('sealed') !== undefined;
    for (const key of others) provider.release(key);
    const after = agree() !== undefined;
    print({ taken: others.length, before, sealed, after, refusals, count: associations.count });`,
  );
  expect(outcome).toEqual({
    taken: CHUNK_KEYS,
    before: [true, true],
    sealed: true,
    after: true,
    refusals: 2,
    count: 2,
  });
});

test('more pairs than there is room for push out the idlest, for as long as one likes', () => {
  const outcome = within<Record<string, unknown>>(
    native.keyMemory(0, 0) + CHUNK,
    `${TABLE}
    let refused = 0;
    for (let i = 0; i < 3000; i++) if (agree() === undefined) refused++;
    print({ refused, refusals, count: associations.count });`,
  );
  expect(outcome).toEqual({ refused: 0, refusals: 3_000 - CHUNK_KEYS / 2, count: CHUNK_KEYS / 2 });
});

test('too little for the places themselves is said in words when the first key is made', () => {
  const said = within<string>(
    native.keyMemory(0, 0) - 4_096,
    `import { createNativeProvider } from '#transform/providers/native.ts';
    let said = '';
    try { createNativeProvider().importKey(new Uint8Array(32)); } catch (error) { said = error.message; }
    process.stdout.write(JSON.stringify(said));`,
  );
  expect(said).toMatch(
    /^key memory cannot be locked; raise the limit of locked memory by 224 KiB \(LimitMEMLOCK, ulimit -l\)/,
  );
  const provider = createNativeProvider();
  provider.release(provider.importKey(new Uint8Array(32)));
});
