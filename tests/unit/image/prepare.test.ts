/**
 * `image/prepare` on a machine whose Debian and npm are scripts, and `--check`: before a gateway starts, whether
 * everything that it runs on is of this version.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { addAddon, type Tree, treeWith } from '#kit/tree.ts';

const BUILD = 'gateway/native/build';
const PREPARE = 'image/prepare';
/** What the mark of a set-up is made of, in its order. */
const SET_UP = ['package-lock.json', 'package.json', '.npmrc', PREPARE];
const REFUSAL = 'set-up: this version is not set up yet; stop what runs from here, then: npm run setup\n';

/** A tree that was set up, and the check. */
function setUp(): { readonly tree: Tree; check(): { status: number | null; out: string } } {
  const tree = treeWith(BUILD, ...SET_UP);
  const environment = addAddon(tree);
  tree.sh(BUILD, ['--quiet'], environment);
  tree.write('mark', `cd "$(dirname "$0")"; cat ${SET_UP.join(' ')} | sha256sum | cut -d' ' -f1\n`);
  tree.write('node_modules/.prepared', tree.sh('mark', []).stdout);
  return {
    tree,
    check() {
      const { status, stdout, stderr } = tree.sh(PREPARE, ['--check'], environment);
      return { status, out: stdout + stderr };
    },
  };
}

describe('image/prepare --check', () => {
  test('is content, and quiet, where this version was set up', () => {
    expect(setUp().check()).toEqual({ status: 0, out: '' });
  });

  test.each([
    ['a package changed', 'package-lock.json', '{}\n'],
    ['the addon has another source', 'gateway/native/addon.c', 'int addon = 1;\n'],
  ])('refuses after an update in which %s', (_, file, text) => {
    const { tree, check } = setUp();
    tree.write(file, text);
    expect(check()).toEqual({ status: 1, out: REFUSAL });
  });
});

/* ---- a set-up --------------------------------------------------------------------------------------------------- */

const LIST = 'image/packages.txt';
const STAMP = 'node_modules/.prepared';
const POLICY = 'debian/usr/sbin/policy-rc.d';
const UNITS = 'debian/etc/systemd/system';
const WANTED = `${UNITS}/multi-user.target.wants`;

/** What is installed is a line of `installed`; a server is started unless the policy forbids it, and enabled. */
const DPKG_QUERY = `grep -qx -- "$3" "$DPKG_ROOT/installed" && printf installed`;
const APT_GET = `
[ "$1" = install ] || exit 0
cd "$DPKG_ROOT"
for package in "$@"; do
  case $package in nginx-light) unit=nginx ;; openssh-server) unit=ssh ;; *) unit= ;; esac
  if [ -n "$unit" ]; then
    usr/sbin/policy-rc.d "$unit" start && echo "$unit" >>started
    mkdir -p etc/systemd/system/multi-user.target.wants
    ln -sf "/lib/systemd/system/$unit.service" etc/systemd/system/multi-user.target.wants/
  fi
  if [ "$package" = openssh-server ]; then ln -s /lib/systemd/system/ssh.service etc/systemd/system/sshd.service; fi
  echo "$package" >>installed
done
[ ! -e broken ]
`;
const NPM = `case $1 in --version) echo 11.0.0 ;; *) printf '%s\\n' "$*" >>"$DPKG_ROOT/npm" ;; esac`;

/** A machine where everything is installed but `missing`, and on which nothing of this repository was set up. */
function machine(...missing: readonly string[]) {
  const tree = treeWith(BUILD, LIST, ...SET_UP);
  for (const [name, script] of Object.entries({ 'dpkg-query': DPKG_QUERY, 'apt-get': APT_GET, npm: NPM, id: 'echo 0' }))
    tree.write(`bin/${name}`, `#!/bin/sh\n${script}\n`, 0o755);
  const listed = readFileSync(tree.path(LIST), 'utf8').split('\n');
  tree.write('debian/installed', listed.filter((p) => !missing.includes(p)).join('\n'));
  mkdirSync(dirname(tree.path(POLICY)), { recursive: true });
  tree.write('node_modules/cap/build/Release/cap.node', 'an addon');
  const environment = {
    ...addAddon(tree),
    PATH: `${tree.path('bin')}:${process.env.PATH}`,
    DPKG_ROOT: tree.path('debian'),
  };
  const said = (file: string) => (existsSync(tree.path(file)) ? readFileSync(tree.path(file), 'utf8') : undefined);
  return {
    tree,
    /** Whether the addons load with the Node that npm installed. */
    addonsLoad: (good: boolean) => tree.write('node_modules/.bin/node', `#!/bin/sh\nexit ${good ? 0 : 1}\n`, 0o755),
    enable(unit: string) {
      mkdirSync(tree.path(WANTED), { recursive: true });
      symlinkSync(`/lib/systemd/system/${unit}`, tree.path(join(WANTED, unit)));
    },
    /** Units that start at boot, under any of their names. */
    enabled: () =>
      readdirSync(tree.path(UNITS), { recursive: true, encoding: 'utf8' }).filter((f) => /\.service$/.test(f)),
    said,
    setUp(more: Readonly<Record<string, string>> = {}) {
      const { status, stdout, stderr } = tree.sh(PREPARE, [], { ...environment, ...more });
      return { status, out: stdout + stderr };
    },
  };
}

describe('image/prepare', () => {
  test('servers for the labs start neither now nor at the next boot', () => {
    const m = machine('nginx-light', 'openssh-server', 'curl');
    m.addonsLoad(true);
    const { status, out } = m.setUp();
    expect(status, out).toBe(0);
    expect(out).toContain('installing Debian packages: curl nginx-light openssh-server\n');
    for (const unit of ['nginx', 'ssh', 'sshd']) expect(out).toContain(`does not start at boot: ${unit}.service\n`);
    expect(m.enabled()).toEqual([]);
    expect(m.said('debian/started')).toBeUndefined();
    expect(m.said(POLICY)).toBeUndefined();
    expect(m.said('debian/installed')).toMatch(/^openssh-server$/m);
  });

  test('a server that was there before goes on', () => {
    const m = machine('nginx-light');
    m.addonsLoad(true);
    m.enable('ssh.service');
    m.tree.write(POLICY, '#!/bin/sh\nexit 101\n', 0o755);
    expect(m.setUp().status).toBe(0);
    expect(m.enabled()).toEqual(['multi-user.target.wants/ssh.service']);
    expect(m.said(POLICY)).toBeDefined();
  });

  test('nor after an installation that failed halfway', () => {
    const m = machine('nginx-light');
    m.tree.write('debian/broken', '');
    const { status, out } = m.setUp();
    expect(status).toBe(1);
    expect(out).toContain('set-up: apt-get could not install them\n');
    expect(m.enabled()).toEqual([]);
    expect(m.said(POLICY)).toBeUndefined();
  });

  test('what only tests need is installed whatever the machine is set to', () => {
    const m = machine();
    m.addonsLoad(true);
    expect(m.setUp({ NODE_ENV: 'production' }).status).toBe(0);
    expect(m.said('debian/npm')).toMatch(/^ci --include=dev --include=optional /);
  });

  test('is done again until the addons load', () => {
    const m = machine();
    m.addonsLoad(false);
    const { status, out } = m.setUp();
    expect(status).toBe(1);
    expect(out).toContain('set-up: a native addon does not load');
    expect(m.said(STAMP)).toBeUndefined();

    m.addonsLoad(true);
    expect(m.setUp().status).toBe(0);
    const stamp = m.said(STAMP);
    expect(stamp).toMatch(/^[0-9a-f]{64}\n$/);
    expect(m.setUp().status).toBe(0);
    expect(m.said(STAMP)).toBe(stamp);
    expect(m.said('debian/npm')?.trimEnd().split('\n')).toHaveLength(2);
  });
});
