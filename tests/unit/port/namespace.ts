/** A network of the test's own: the thread enters a new namespace, makes links in it, and leaves nothing behind. */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { native } from '#native/native.ts';

let made = 0;

/** Runs `ip …` (or another program) in the thread's namespace. */
export function run(command: string): void {
  const [program, ...args] = command.split(' ');
  execFileSync(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** Enters a new namespace; the answer leaves and removes it. Needs root. */
export function enterNewNamespace(): () => void {
  const name = `port-${process.pid}-${made++}`;
  const home = openSync('/proc/thread-self/ns/net', 'r');
  run(`ip netns add ${name}`);
  native.enterNamespace(`/run/netns/${name}`);
  /* Else the kernel's own router solicitations are among the frames. */
  run('sysctl -qw net.ipv6.conf.default.disable_ipv6=1');
  return () => {
    native.enterNamespace(`/proc/self/fd/${home}`);
    closeSync(home);
    run(`ip netns del ${name}`);
  };
}

/** A veth pair with queues of its own, both ends up. `features` are ethtool's, for both. */
export function addVeth(left: string, right: string, features = ''): void {
  run(`ip link add ${left} mtu 1508 type veth peer name ${right} mtu 1508`);
  for (const name of [left, right]) {
    if (features !== '') run(`ethtool -K ${name} ${features}`);
    run(`ip link set ${name} up`);
  }
  untilOperational(left, right);
}

/** A link that was taken up swallows frames without an error until the kernel's link watch has given it its queue. */
export function untilOperational(...names: readonly string[]): void {
  for (const name of names) {
    let tries = 0;
    while (!execFileSync('ip', ['link', 'show', name], { encoding: 'utf8' }).includes('state UP')) {
      if (++tries === 1_000) throw new Error(`${name} does not come up`);
    }
  }
}
