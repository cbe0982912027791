/** The commands: what they take, what they ask the GMS, how they show it. Exit codes: 0 ok, 1 failed, 2 usage. */
import { userInfo } from 'node:os';
import { Command, InvalidArgumentError } from 'commander';
import { type Endpoint, formatEndpoint, parseEndpoint } from '#gms/endpoint.ts';
import { kindSchema, modeSchema } from '#gms/enrolment.ts';
import { GmsError } from '#gms/errors.ts';
import { localTime } from '#terminal/quantity.ts';
import { list, table } from '#terminal/table.ts';
import { speak } from '#terminal/usage.ts';
import { initGms } from '../gms.ts';
import { environment, runGms } from '../main.ts';
import { ask } from './client.ts';
import type { MessageKey, Translate } from './messages.ts';

const DEFAULT_STATE = '/var/lib/gms-lite';
/** When keys are renewed by themselves unless somebody says otherwise. */
const DEFAULT_ROTATION = '03:00';

export interface Surroundings {
  readonly t: Translate;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly out: (line: string) => void;
  readonly err: (line: string) => void;
  /** Fulfilled when the process is asked to stop. */
  readonly stopped: () => Promise<void>;
}

interface Shared {
  readonly state: string;
  readonly json?: boolean;
}

interface GroupView {
  readonly name: string;
  readonly number: number;
  readonly transform: string;
  readonly checksum: string;
  readonly versions: readonly { readonly version: number }[];
  readonly members: readonly string[];
}
interface ElementView {
  readonly id: string;
  readonly name: string;
  readonly kind: string;
  readonly mode: string;
  readonly state: string;
  readonly groups: readonly string[];
  readonly bundle: string;
  readonly held: string | null;
  readonly lastSeen: number;
}
interface StatusView {
  readonly endpoints: readonly Endpoint[];
  readonly incarnation: number;
  readonly fingerprint: string;
  readonly gateways: number;
  /** Of these, how many hold their newest bundle. */
  readonly current: number;
  readonly groups: number;
  readonly domain: readonly { readonly version: number }[];
  readonly audit: number;
}
interface PolicyView {
  readonly protectedPrefixes: readonly string[];
  readonly exceptions: readonly {
    readonly address: string;
    readonly protocol?: string | number;
    readonly port?: number;
    readonly direction: string;
  }[];
  readonly offlineHours: number;
}
interface AuditView {
  readonly intact: boolean;
  readonly broken: number | null;
  readonly entries: readonly { at: number; who: string; action: string; subject: string; number: number }[];
}

export function createProgram({ t, env, out, err, stopped }: Surroundings): Command {
  const show = (options: Shared, value: unknown, text: () => string): void => {
    out(options.json ? JSON.stringify(value) : text());
  };
  const usage = (key: MessageKey, values?: Record<string, string>): never => {
    throw new InvalidArgumentError(t(key, values));
  };
  const endpoint = (text: string, before: readonly Endpoint[] = []): Endpoint[] => {
    try {
      return [...before, parseEndpoint(text)];
    } catch (error) {
      throw new InvalidArgumentError(error instanceof GmsError ? error.text[t.language] : String(error));
    }
  };
  const several = (text: string, before: readonly string[] = []): string[] =>
    text === 'none' ? [...before] : [...before, text];
  const whole = (text: string): number => (/^\d{1,10}$/.test(text) ? Number(text) : usage('bad.number', { text }));
  const oneOf =
    (choices: readonly string[]) =>
    (text: string): string =>
      choices.includes(text) ? text : usage('bad.choice', { text, choices: choices.join(', ') });
  const duration = (text: string): number => {
    const match = /^(\d{1,6})([smhd])$/.exec(text);
    if (match === null) return usage('bad.duration', { text });
    return Number(match[1]) * { s: 1, m: 60, h: 3600, d: 86_400 }[match[2] as 's' | 'm' | 'h' | 'd'];
  };
  const rows = <T>(head: readonly MessageKey[], values: readonly T[], row: (value: T) => string[]): string =>
    values.length === 0
      ? t('list.empty')
      : table(
          head.map((key) => ({ title: t(key), right: key === 'column.number' })),
          values.map(row),
        ).join('\n');
  const leafCommand = (parent: Command, name: string, help: MessageKey): Command =>
    parent
      .command(name)
      .description(t(help))
      .option('--state <dir>', t('option.state'), env.GMS_STATE ?? DEFAULT_STATE)
      .option('--json', t('option.json'));

  const program = new Command('gms-lite').description(t('program'));

  leafCommand(program, 'init', 'init.help')
    .requiredOption('--address <address...>', t('init.address'), endpoint)
    .action(async (options: Shared & { address: Endpoint[] }) => {
      const actor = { who: userInfo().username, from: 'command line' };
      await initGms(options.state, options.address, environment(err), actor);
      show(options, { state: options.state, endpoints: options.address }, () =>
        t('init.done', { directory: options.state }),
      );
    });

  leafCommand(program, 'run', 'run.help')
    .option('--listen <address...>', t('run.listen'), endpoint)
    .action(async (options: Shared & { listen?: Endpoint[] }) => {
      const gms = await runGms({ directory: options.state, listen: options.listen ?? [], report: err });
      const endpoints = gms.endpoints.map(formatEndpoint);
      show(options, { event: 'listening', endpoints, socket: gms.socket }, () =>
        t('run.listening', { endpoints: endpoints.join(', ') }),
      );
      await stopped();
      await gms.stop();
      show(options, { event: 'stopped' }, () => t('run.stopped'));
    });

  const group = program.command('group').description(t('group.help'));
  leafCommand(group, 'create <name>', 'group.create.help')
    .option('--number <n>', t('group.create.number'), whole)
    .option('--transform <name>', t('group.create.transform'), 'sealed')
    .option('--checksum <kind>', t('group.create.checksum'), 'ordinary')
    .option('--rotate <time>', t('group.create.rotate'), DEFAULT_ROTATION)
    .option('--zone <zone>', t('group.create.zone'), Intl.DateTimeFormat().resolvedOptions().timeZone)
    .action(
      async (
        name: string,
        options: Shared & { number?: number; transform: string; checksum: string; rotate: string; zone: string },
      ) => {
        const { number, transform, checksum, rotate: at, zone } = options;
        const rotation = at === 'never' ? null : { at, zone };
        const body = { name, number, transform, checksum, rotation };
        const made = await ask<GroupView>(options.state, 'POST', '/groups', body);
        show(options, made, () => t('group.created', { name: made.name, number: made.number }));
      },
    );
  leafCommand(group, 'list', 'group.list.help').action(async (options: Shared) => {
    const groups = await ask<GroupView[]>(options.state, 'GET', '/groups');
    const head = ['column.number', 'column.name', 'column.transform', 'column.version', 'column.members'] as const;
    show(options, groups, () =>
      rows(head, groups, (g) => [
        String(g.number),
        g.name,
        g.checksum === 'keyed' ? `${g.transform} keyed` : g.transform,
        g.versions.map((v) => v.version).join(', '),
        g.members.join(', ') || '–',
      ]),
    );
  });
  const member = (name: string, ge: string): string =>
    `/groups/${encodeURIComponent(name)}/members/${encodeURIComponent(ge)}`;
  leafCommand(group, 'add <name> <ge>', 'group.add.help').action(async (name: string, ge: string, options: Shared) => {
    const changed = await ask<GroupView>(options.state, 'PUT', member(name, ge));
    show(options, changed, () => t('group.added', { ge, group: name }));
  });
  leafCommand(group, 'remove <name> <ge>', 'group.remove.help').action(
    async (name: string, ge: string, options: Shared) => {
      const changed = await ask<GroupView>(options.state, 'DELETE', member(name, ge));
      show(options, changed, () => t('group.removed', { ge, group: name }));
    },
  );

  const ge = program.command('ge').description(t('ge.help'));
  leafCommand(ge, 'list', 'ge.list.help').action(async (options: Shared) => {
    const listed = await ask<ElementView[]>(options.state, 'GET', '/elements');
    const elements = listed.toSorted((a, b) => a.name.localeCompare(b.name) || b.lastSeen - a.lastSeen);
    const head = [
      'column.name',
      'column.id',
      'column.kind',
      'column.mode',
      'column.state',
      'column.groups',
      'column.bundle',
      'column.held',
      'column.seen',
    ] as const;
    show(options, elements, () =>
      rows(head, elements, (e) => [
        e.name,
        e.id,
        e.kind,
        e.mode,
        e.state,
        e.groups.join(', ') || '–',
        e.bundle,
        e.held ?? '–',
        timeText(e.lastSeen),
      ]),
    );
  });
  leafCommand(ge, 'set <ge>', 'ge.set.help')
    .option('--name <name>', t('token.name'))
    .option('--kind <kind>', t('token.kind'), oneOf(kindSchema.options))
    .option('--mode <mode>', t('token.mode'), oneOf(modeSchema.options))
    .action(async (which: string, options: Shared & { name?: string; kind?: string; mode?: string }) => {
      const { name, kind, mode } = options;
      const path = `/elements/${encodeURIComponent(which)}`;
      const changed = await ask<ElementView>(options.state, 'PATCH', path, { name, kind, mode });
      show(options, changed, () => t('ge.set', { name: changed.name, kind: changed.kind, mode: changed.mode }));
    });
  leafCommand(ge, 'remove <ge>', 'ge.remove.help').action(async (which: string, options: Shared) => {
    const removed = await ask<ElementView>(options.state, 'DELETE', `/elements/${encodeURIComponent(which)}`);
    show(options, removed, () => t('ge.removed', { name: removed.name }));
  });

  const token = program.command('token').description(t('token.help'));
  leafCommand(token, 'create', 'token.create.help')
    .option('--name <name>', t('token.name'))
    .option('--kind <kind>', t('token.kind'), oneOf(kindSchema.options))
    .option('--mode <mode>', t('token.mode'), oneOf(modeSchema.options))
    .option('--group <group...>', t('token.group'), several)
    .option('--ttl <duration>', t('token.ttl'), duration)
    .action(
      async (options: Shared & { name?: string; kind?: string; mode?: string; group?: string[]; ttl?: number }) => {
        const { name, kind, mode, group: groups, ttl } = options;
        const request = { name, kind, mode, groups, ttl };
        const made = await ask<{ token: string; expiry: number }>(options.state, 'POST', '/tokens', request);
        show(options, made, () => t('token.created', { token: made.token, expiry: timeText(made.expiry) }));
      },
    );

  leafCommand(program, 'rotate [group]', 'rotate.help')
    .option('--all', t('rotate.all'))
    .option('--domain', t('rotate.domain'))
    .action(async (name: string | undefined, options: Shared & { all?: true; domain?: true }, command: Command) => {
      const asked = [name, options.all, options.domain].filter((what) => what !== undefined);
      if (asked.length !== 1) command.error(t('rotate.what'), { exitCode: 2 });
      const request = options.all ? { all: true } : options.domain ? { domain: true } : { group: name };
      const done = await ask<{ group: string | null; version: number }[]>(options.state, 'POST', '/rotations', request);
      const line = (d: { group: string | null; version: number }): string =>
        t('rotate.done', { group: d.group ?? t('word.domain'), version: d.version });
      show(options, done, () => done.map(line).join('\n'));
    });

  const policy = program.command('policy').description(t('policy.help'));
  leafCommand(policy, 'set', 'policy.set.help')
    .option('--protected <prefix...>', t('policy.protected'), several)
    .option('--exception <rule...>', t('policy.exception'), several)
    .option('--offline-hours <n>', t('policy.offline'), whole)
    .option('--forget-peers', t('policy.forget'))
    .action(
      async (
        options: Shared & { protected?: string[]; exception?: string[]; offlineHours?: number; forgetPeers?: true },
        command: Command,
      ) => {
        const { protected: protectedPrefixes, exception: exceptions, offlineHours, forgetPeers } = options;
        const request = { protectedPrefixes, exceptions, offlineHours, forgetPeers };
        if (Object.values(request).every((v) => v === undefined)) command.error(t('policy.nothing'), { exitCode: 2 });
        const after = await ask<PolicyView>(options.state, 'PATCH', '/policy', request);
        show(options, after, () => policyText(after, t));
      },
    );
  leafCommand(policy, 'show', 'policy.show.help').action(async (options: Shared) => {
    const current = await ask<PolicyView>(options.state, 'GET', '/policy');
    show(options, current, () => policyText(current, t));
  });

  leafCommand(program, 'status', 'status.help').action(async (options: Shared) => {
    const status = await ask<StatusView>(options.state, 'GET', '/status');
    show(options, status, () => statusText(status, t));
  });
  leafCommand(program, 'audit', 'audit.help').action(async (options: Shared) => {
    const audit = await ask<AuditView>(options.state, 'GET', '/audit');
    const head = ['column.time', 'column.who', 'column.action', 'column.subject'] as const;
    const verdict = audit.intact
      ? t('audit.intact', { count: audit.entries.at(-1)?.number ?? 0 })
      : t('audit.broken', { number: audit.broken ?? 0 });
    show(options, audit, () =>
      [rows(head, audit.entries, (e) => [timeText(e.at), e.who, e.action, e.subject]), verdict].join('\n'),
    );
  });
  speak(program, t.language, out);
  return program;
}

/** Seconds since 1970 as local time; what never happened is a dash. */
const timeText = (seconds: number): string => (seconds <= 0 ? '–' : localTime(new Date(seconds * 1000).toISOString()));

function statusText(status: StatusView, t: Translate): string {
  return list([
    [t('status.addresses'), status.endpoints.map(formatEndpoint).join(', ')],
    [t('status.fingerprint'), status.fingerprint],
    [t('status.incarnation'), String(status.incarnation)],
    [t('status.gateways'), t('status.current', { gateways: status.gateways, current: status.current })],
    [t('status.groups'), String(status.groups)],
    [t('status.domain'), status.domain.map((key) => key.version).join(', ')],
    [t('status.audit'), String(status.audit)],
  ]).join('\n');
}

function policyText(policy: PolicyView, t: Translate): string {
  const exceptions = policy.exceptions.map(({ address, protocol, port, direction }) =>
    [address, protocol, port, direction].filter((part) => part !== undefined).join(' '),
  );
  const each = (texts: readonly string[]): string => (texts.length === 0 ? t('list.empty') : texts.join(', '));
  return list([
    [t('policy.shown.protected'), each(policy.protectedPrefixes)],
    [t('policy.shown.exceptions'), each(exceptions)],
    [
      t('policy.shown.offline'),
      policy.offlineHours === 0 ? t('policy.endless') : t('policy.hours', { hours: policy.offlineHours }),
    ],
  ]).join('\n');
}
