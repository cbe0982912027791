/**
 * Length-preserving jobs at every length from 0 to 70,000, native against noble, both directions: what
 * `tests/unit/transform/providers-length.test.ts` does for a sample. Some minutes; ends with status 1 at the first
 * difference.
 * Run: node_modules/.bin/node tests/fuzz/ciphers.ts [seed] [first] [last]
 */
import { randomInt } from 'node:crypto';
import { createNativeProvider } from '#transform/providers/native.ts';
import { createNobleProvider } from '#transform/providers/noble.ts';
import { decipher, encipher, keyed, noise } from '../unit/transform/length-jobs.ts';

const [seed = randomInt(0x7fffffff), first = 0, last = 70_000] = process.argv.slice(2).map(Number);
const prk = noise(seed, 32);
const native = keyed(createNativeProvider(), prk);
const noble = keyed(createNobleProvider(), prk);
const data = noise(seed + 1, 2 * last + 1);
console.log(`seed ${seed}, lengths ${first} to ${last}`);

for (let length = first; length <= last; length++) {
  const tweak = noise(seed + length, length % 257);
  const plain = data.subarray(length, 2 * length);
  const cut = { inPlace: (length & 1) === 0 };
  const sealed = encipher(native, tweak, plain, cut);
  if (Buffer.compare(sealed, encipher(noble, tweak, plain, cut)) !== 0) fail('enciphering differs', length);
  if (Buffer.compare(decipher(native, tweak, sealed, cut), plain) !== 0) fail('native does not open it', length);
  if (Buffer.compare(decipher(noble, tweak, sealed, cut), plain) !== 0) fail('noble does not open it', length);
  if (length % 5000 === 0) console.log(`${length}: equal`);
}
console.log(`all ${last - first + 1} lengths are equal`);

function fail(what: string, length: number): never {
  console.error(`${what}: length ${length}, seed ${seed}`);
  process.exit(1);
}
