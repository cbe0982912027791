import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AtRest, createKeyFile, readKeyFile } from '#gms/at-rest.ts';
import { brokenAudit } from '../../../gms-lite/rules/change.ts';
import { openLmdbStore } from '../../../gms-lite/store/lmdb.ts';
import { numberId, type Secret } from '../../../gms-lite/store/records.ts';
import { temporary } from '../../kit/gms-world.ts';

let place: ReturnType<typeof temporary>;
beforeEach(() => {
  place = temporary();
});
afterEach(() => place.remove());

const secret = (n: number): Secret => ({ sealed: Uint8Array.of(n) });

describe('the store', () => {
  it('writes a transaction whole, or, when it throws, not at all', async () => {
    const store = openLmdbStore(place.directory);
    await store.transact((tx) => tx.put('secret', 'a', secret(1)));
    const failing = store.transact((tx) => {
      tx.put('secret', 'a', secret(2));
      tx.put('secret', 'b', secret(2));
      expect(tx.get('secret', 'a')).toMatchObject({ sealed: Buffer.of(2) });
      throw new Error('thought better of it');
    });
    await expect(failing).rejects.toThrow('thought better of it');
    expect(store.get('secret', 'a')).toMatchObject({ sealed: Buffer.of(1) });
    expect(store.get('secret', 'b')).toBeUndefined();
    await store.close();
  });

  it('lists a table by prefix, in order, and nothing of its neighbours', async () => {
    const store = openLmdbStore(place.directory);
    const key = (group: number, version: number) => ({
      group,
      version,
      material: new Uint8Array(),
      notBefore: 0,
      notAfter: 0,
    });
    await store.transact((tx) => {
      for (const [group, version] of [
        [10, 1],
        [1, 10],
        [1, 9],
        [1, 2],
      ]) {
        tx.put('key', `${numberId(group)}/${numberId(version)}`, key(group, version));
      }
      tx.put('group', numberId(1), {
        number: 1,
        name: 'x',
        kind: 'managed',
        transform: 'sealed',
        rotation: null,
        rotatesAt: 0,
        createdAt: 0,
      });
      tx.put('secret', 'z', secret(1));
    });
    expect([...store.list('key', `${numberId(1)}/`)].map((k) => k.version)).toEqual([2, 9, 10]);
    expect([...store.list('key')].map((k) => k.group)).toEqual([1, 1, 1, 10]);
    expect(store.last('key')).toMatchObject({ group: 10 });
    expect(store.last('audit')).toBeUndefined();
    await store.close();
  });

  it('loses nothing that was acknowledged when it is killed in the middle of writes', async () => {
    /* The writer appends audit entries, each chained to the last and twice per transaction, and says which are done. */
    const script = `
      import { openLmdbStore } from '${join(process.cwd(), 'gms-lite/store/lmdb.ts')}';
      import { audit } from '${join(process.cwd(), 'gms-lite/rules/change.ts')}';
      const store = openLmdbStore(process.argv[1]);
      for (let n = 1; ; n++) {
        await store.transact((tx) => {
          const change = { tx, now: n, actor: { who: 'writer', from: 'test' } };
          audit(change, 'first', 'half', null, n);
          audit(change, 'second', 'half', null, n);
        });
        process.stdout.write(n + '\\n');
      }`;
    let acknowledged = 0;
    for (const kills of [3, 40]) {
      const node = join(process.cwd(), 'node_modules/.bin/node');
      const writer = spawn(node, ['--input-type=module', '-e', script, place.directory], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let last = 0;
      for await (const line of createInterface({ input: writer.stdout })) {
        last = Number(line);
        if (last === kills) writer.kill('SIGKILL');
      }
      if (writer.exitCode === null && writer.signalCode === null) await once(writer, 'exit');
      acknowledged += last;

      const store = openLmdbStore(place.directory);
      const entries = [...store.list('audit')];
      expect(entries.length).toBeGreaterThanOrEqual(2 * acknowledged);
      expect(entries.length % 2).toBe(0);
      expect(brokenAudit(entries)).toBeUndefined();
      acknowledged = entries.length / 2;
      await store.close();
    }
  });
});

describe('a key file', () => {
  it('is made for its owner alone, and refused when others may read it', () => {
    const file = join(place.directory, 'master.key');
    const key = createKeyFile(file);
    expect(readKeyFile(file)).toEqual(key);
    expect(() => createKeyFile(file)).toThrow(/EEXIST/);
    chmodSync(file, 0o640);
    expect(() => readKeyFile(file)).toThrow(`${file} may be read by others (mode 640): make it 0600`);
    const short = join(place.directory, 'short.key');
    writeFileSync(short, 'not a key', { mode: 0o600 });
    expect(() => readKeyFile(short)).toThrow(/is not a key file of 32 bytes/);
  });

  it('opens what was sealed with it under the same name, and nothing else', () => {
    const rest = new AtRest(new Uint8Array(32).fill(1));
    const sealed = rest.seal('a', Uint8Array.of(1, 2, 3));
    expect(rest.open('a', sealed)).toEqual(Uint8Array.of(1, 2, 3));
    expect(() => rest.open('b', sealed)).toThrow(/cannot be opened/);
    expect(() => new AtRest(new Uint8Array(32)).open('a', sealed)).toThrow(/cannot be opened/);
    sealed[30] ^= 1;
    expect(() => rest.open('a', sealed)).toThrow(/cannot be opened/);
  });
});
