import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createApp } from '#api/app.ts';
import { type Serving, serveApi } from '#api/serve.ts';
import type { Running, Surroundings } from '#cli/commands.ts';
import { sayIn } from '#cli/messages.ts';
import { runCommandLine } from '#cli/program.ts';
import { apiSocket, auditFile } from '#config/state.ts';
import type { Language } from '#config/text.ts';
import { type FakeGateway, fakeGateway, STATUS } from '#kit/gateway-view.ts';

let folder: string;
let state: string;
let config: string;
let out: string[];
let err: string[];
let stopListeners: Set<() => void>;
let outside: Pick<Surroundings, 'start' | 'enrol' | 'release' | 'input'>;
let serving: Serving | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gscip-cli-'));
  state = join(folder, 'state');
  config = join(folder, 'gateway.yaml');
  writeFileSync(config, 'kind: router\nouter: eth0\n');
  out = [];
  err = [];
  stopListeners = new Set();
  serving = undefined;
  outside = {
    start: vi.fn(async () => ({ stopped: Promise.resolve(0), stop: async () => undefined })),
    enrol: vi.fn(async () => ({ ge: '00112233445566aa', name: 'press-7' })),
    release: vi.fn(async () => undefined),
    input: async () => ' token-from-input\n',
  };
});
afterEach(async () => {
  await serving?.close();
  rmSync(folder, { recursive: true });
});

function gateway(words: readonly string[], language: Language = 'en'): Promise<number> {
  const around: Surroundings = {
    say: sayIn(language),
    environment: { SUDO_USER: 'hanako' },
    terminal: true,
    out: (line) => out.push(line),
    onStop: (each) => {
      stopListeners.add(each);
      return () => stopListeners.delete(each);
    },
    pause: () => new Promise((resolve) => setImmediate(resolve)),
    ...outside,
  };
  return runCommandLine(words, '0.1.0', around, (line) => err.push(line));
}

const interrupt = (): void => {
  for (const listener of stopListeners) listener();
};

async function running(): Promise<FakeGateway> {
  const fake = fakeGateway();
  const { mkdirSync } = await import('node:fs');
  mkdirSync(state, { recursive: true });
  serving = await serveApi(
    createApp(fake, () => undefined),
    apiSocket(state),
  );
  return fake;
}

describe('usage', () => {
  test('help is in the language, lists every command, and is no failure', async () => {
    expect(await gateway(['--help'])).toBe(0);
    const help = out.join('\n');
    for (const name of ['run', 'enrol', 'status', 'flows', 'pairs', 'explain', 'drops', 'release', 'check', 'events']) {
      expect(help).toMatch(new RegExp(`^ {2}${name} `, 'm'));
    }
    out = [];
    expect(await gateway(['flows', '--help'], 'ja')).toBe(0);
    expect(out.join('\n')).toMatch(/使い方:.*flows[\s\S]*オプション:[\s\S]*--device/);
    expect(out.join('\n')).not.toMatch(/Usage|Options|display/);
  });

  test('the version', async () => {
    expect(await gateway(['--version'])).toBe(0);
    expect(out).toEqual(['0.1.0']);
  });

  test.each([
    [[], 'name a command', 'コマンドを指定'],
    [['fly'], 'there is no command fly', 'flyというコマンド'],
    [['status', '--fast'], 'there is no option --fast', '--fastというオプション'],
    [['explain'], 'the argument address is missing', '引数address'],
    [['status', '--state'], 'the option --state <dir> needs a value', '値が必要です'],
    [['check'], 'the option --config <file> must be given', '必ず指定'],
    [['release', '--config', 'x'], 'the option --reason <text> must be given', '必ず指定'],
    [['status', 'now'], 'too many arguments', '引数が多すぎます'],
  ])('%j is a mistake', async (words, english, japanese) => {
    expect(await gateway(words)).toBe(2);
    expect(await gateway(words, 'ja')).toBe(2);
    expect(err).toEqual([expect.stringContaining(english), expect.stringContaining(japanese)]);
    expect(out).toEqual([]);
  });
});

describe('check', () => {
  test('a correct file', async () => {
    expect(await gateway(['check', '--config', config])).toBe(0);
    expect(out).toEqual([`${config}: correct (router)`]);
  });

  test('mistakes are all told, in the language, with exit code 2', async () => {
    writeFileSync(config, 'kind: router\nouter: eth0\nworkers: 0\nspeed: 9\n');
    expect(await gateway(['check', '--config', config], 'ja')).toBe(2);
    expect(err).toHaveLength(3);
    expect(err[0]).toMatch(`${config}:3:10: workers: 1～64の整数`);
    expect(err[0]?.startsWith(config)).toBe(true);
    expect(err[1]).toContain(`${config}:4:1: speed:`);
    expect(err[2]).toContain('2件の誤り');
  });

  test('as JSON', async () => {
    writeFileSync(config, 'kind: router\n');
    expect(await gateway(['check', '--config', config, '--json'])).toBe(2);
    expect(JSON.parse(out[0]!)).toMatchObject({ correct: false, problems: [{ line: 1, field: 'outer' }] });
  });
});

describe('run', () => {
  test('starts with the configuration, its text and the state directory, and ends with the gateway’s exit code', async () => {
    outside.start = vi.fn(async () => ({ stopped: Promise.resolve(3), stop: async () => undefined }));
    expect(await gateway(['run', '--config', config, '--state', state])).toBe(3);
    expect(outside.start).toHaveBeenCalledWith(
      expect.objectContaining({
        config: expect.objectContaining({ kind: 'router' }),
        configText: 'kind: router\nouter: eth0\n',
        stateDir: state,
      }),
    );
    expect(statSync(state).mode & 0o777).toBe(0o700);
    expect(stopListeners.size).toBe(0);
  });

  test('a mistake in the file touches nothing', async () => {
    writeFileSync(config, 'kind: router\nouter: lo\n');
    expect(await gateway(['run', '--config', config, '--state', state])).toBe(2);
    expect(outside.start).not.toHaveBeenCalled();
    expect(statSync(state, { throwIfNoEntry: false })).toBeUndefined();
  });

  test('a signal stops it once, also when it comes again', async () => {
    let stops = 0;
    const { promise, resolve } = Promise.withResolvers<number>();
    const started = Promise.withResolvers<void>();
    outside.start = async (): Promise<Running> => {
      started.resolve();
      return {
        stopped: promise,
        stop: async () => {
          stops++;
          resolve(0);
        },
      };
    };
    const ended = gateway(['run', '--config', config, '--state', state]);
    await started.promise;
    await new Promise((next) => setImmediate(next));
    interrupt();
    interrupt();
    expect(await ended).toBe(0);
    expect(stops).toBe(1);
  });

  test('a signal during the start is not forgotten', async () => {
    const { promise, resolve } = Promise.withResolvers<number>();
    outside.start = async () => {
      interrupt();
      return { stopped: promise, stop: async () => resolve(0) };
    };
    expect(await gateway(['run', '--config', config, '--state', state])).toBe(0);
  });

  test('why it could not start is told in the words of whoever refused', async () => {
    outside.start = async () => {
      throw Object.assign(new Error('x'), { text: { en: 'eth0 is missing', ja: 'eth0がありません' } });
    };
    expect(await gateway(['run', '--config', config, '--state', state], 'ja')).toBe(1);
    expect(err).toEqual(['gscip-gateway: ゲートウェイを起動できません: eth0がありません']);
  });
});

describe('enrol', () => {
  test('hands the token over and shows who this gateway is', async () => {
    expect(await gateway(['enrol', 'TOKEN', '--state', state])).toBe(0);
    expect(outside.enrol).toHaveBeenCalledWith('TOKEN', state, { force: false });
    expect(out).toEqual(['Enrolled as press-7 (GE 00112233445566aa).', expect.stringContaining('use "run"')]);
  });

  test('learns the kind from the configuration file when one is named', async () => {
    expect(await gateway(['enrol', 'TOKEN', '--state', state, '--config', config])).toBe(0);
    expect(outside.enrol).toHaveBeenCalledWith('TOKEN', state, { force: false, kind: 'router' });
    expect(await gateway(['enrol', 'TOKEN', '--state', state, '--config', join(folder, 'none.yaml')])).toBe(2);
    expect(outside.enrol).toHaveBeenCalledOnce();
  });

  test('reads the token from standard input, and refuses an empty one', async () => {
    expect(await gateway(['enrol', '-', '--state', state, '--json'])).toBe(0);
    expect(outside.enrol).toHaveBeenCalledWith('token-from-input', state, { force: false });
    expect(JSON.parse(out[0]!)).toMatchObject({ ge: '00112233445566aa' });
    outside.input = async () => '\n';
    expect(await gateway(['enrol', '-', '--state', state])).toBe(2);
  });

  test('replacing an enrolment is recorded', async () => {
    expect(await gateway(['enrol', 'TOKEN', '--state', state, '--force'])).toBe(0);
    expect(JSON.parse(readFileSync(auditFile(state), 'utf8'))).toMatchObject({
      action: 'replace-enrolment',
      person: 'hanako',
    });
  });

  test('a refusal is told, and the token is not repeated', async () => {
    outside.enrol = async () => {
      throw new Error('the token has expired');
    };
    expect(await gateway(['enrol', 'SECRET', '--state', state])).toBe(1);
    expect(err).toEqual(['gscip-gateway: not enrolled: the token has expired']);
  });
});

test('a running gateway enrols itself: it has the store open', async () => {
  const fake = await running();
  expect(await gateway(['enrol', 'good', '--state', state])).toBe(0);
  expect(await gateway(['enrol', 'expired', '--state', state], 'ja')).toBe(1);
  expect(fake.asked.filter((question) => typeof question === 'object')).toEqual([
    { token: 'good', force: false },
    { token: 'expired', force: false },
  ]);
  expect(outside.enrol).not.toHaveBeenCalled();
  expect(err).toEqual(['gscip-gateway: 登録できませんでした: トークンの有効期限が切れています']);
});

describe('with no gateway running', () => {
  test.each([['status'], ['flows'], ['pairs'], ['drops'], ['events'], ['explain', '192.0.2.1']])(
    '%s says so',
    async (...words) => {
      expect(await gateway([...words, '--state', state])).toBe(1);
      expect(err).toEqual([expect.stringContaining(`no gateway is running with the state directory ${state}`)]);
    },
  );
});

describe('with a gateway running', () => {
  test('status for a person, and as JSON exactly what the API says', async () => {
    await running();
    expect(await gateway(['status', '--state', state], 'ja')).toBe(0);
    expect(out.join('\n')).toContain('生産ライン');
    out = [];
    expect(await gateway(['status', '--state', state, '--json'])).toBe(0);
    expect(out).toEqual([JSON.stringify(STATUS)]);
  });

  test('filters reach the gateway', async () => {
    const fake = await running();
    expect(
      await gateway(['flows', '--state', state, '--device', '10.0.0.5', '--verdict', 'discard', '--limit', '5']),
    ).toBe(0);
    expect(await gateway(['pairs', '--state', state, '--peer', '10.1.0.9'])).toBe(0);
    expect(await gateway(['explain', '10.1.0.9', '--from', '10.0.0.5', '--state', state])).toBe(0);
    expect(fake.asked).toEqual([
      { device: '10.0.0.5', verdict: 'discard', limit: 5 },
      { peer: '10.1.0.9', limit: 1000 },
      { peer: '10.1.0.9', device: '10.0.0.5' },
    ]);
  });

  test('a bad parameter is a mistake of the person, told in the language', async () => {
    await running();
    expect(await gateway(['explain', 'press-7', '--state', state])).toBe(2);
    expect(await gateway(['flows', '--verdict', 'maybe', '--state', state], 'ja')).toBe(2);
    expect(err[0]).toContain('address must be one IPv4 or IPv6 address');
    expect(err[1]).toContain('verdictにはencrypt、plain');
  });

  test('a fault of the gateway is a failure', async () => {
    const fake = await running();
    fake.broken = true;
    expect(await gateway(['drops', '--state', state])).toBe(1);
    expect(err[0]).toContain('fault of its own');
  });

  test('events are followed until a signal', async () => {
    const fake = await running();
    const ended = gateway(['events', '--state', state]);
    await expect.poll(() => fake.listeners).toBe(1);
    fake.emit({ time: '2026-01-05T03:00:00.000Z', level: 'warning', name: 'port-down', details: { port: 'eth1' } });
    await expect.poll(() => out).toEqual([expect.stringContaining('WARNING  port eth1 is down')]);
    interrupt();
    expect(await ended).toBe(0);
    await expect.poll(() => fake.listeners).toBe(0);
  });

  test('the end of the gateway ends the events with a failure', async () => {
    const fake = await running();
    const ended = gateway(['events', '--state', state, '--json']);
    await expect.poll(() => fake.listeners).toBe(1);
    await serving?.close();
    serving = undefined;
    expect(await ended).toBe(1);
    expect(err).toEqual(['gscip-gateway: the gateway ended the connection']);
  });
});

describe('release', () => {
  const words = ['release', '--reason', 'line 3 is down'];

  test('opens, and the record with person and reason is there before', async () => {
    outside.release = vi.fn(async () => {
      expect(JSON.parse(readFileSync(auditFile(state), 'utf8'))).toMatchObject({
        action: 'release',
        reason: 'line 3 is down',
        person: 'hanako',
      });
    });
    expect(await gateway([...words, '--config', config, '--state', state])).toBe(0);
    expect(outside.release).toHaveBeenCalledWith(expect.objectContaining({ kind: 'router', outer: 'eth0' }));
    expect(out[0]).toContain('everything passes UNPROTECTED');
    expect(statSync(auditFile(state)).mode & 0o777).toBe(0o600);
  });

  test('stops a running gateway first', async () => {
    const fake = await running();
    fake.onStop = () => {
      void serving?.close();
      serving = undefined;
    };
    outside.release = vi.fn(async () => expect(fake.stops).toEqual(['release: line 3 is down']));
    expect(await gateway([...words, '--config', config, '--state', state])).toBe(0);
    expect(outside.release).toHaveBeenCalledOnce();
  });

  test('a gateway that does not stop keeps the machine closed', async () => {
    await running();
    expect(await gateway([...words, '--config', config, '--state', state], 'ja')).toBe(1);
    expect(outside.release).not.toHaveBeenCalled();
    expect(err[0]).toContain('停止しなかったため、開放していません');
  });

  test('without a record nothing is opened', async () => {
    writeFileSync(state, 'not a directory');
    expect(await gateway([...words, '--config', config, '--state', state])).toBe(1);
    expect(outside.release).not.toHaveBeenCalled();
  });

  test.each(['', '   ', 'two\nlines', 'x'.repeat(501)])('the reason %j is refused', async (reason) => {
    expect(await gateway(['release', '--reason', reason, '--config', config, '--state', state])).toBe(2);
    expect(outside.release).not.toHaveBeenCalled();
    expect(statSync(state, { throwIfNoEntry: false })).toBeUndefined();
  });
});
