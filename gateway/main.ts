/**
 * A running gateway: config → parts → wiring in the order of a packet's way → run → stop in reverse.
 *
 *   API socket (one gateway per state directory) → host: drops, ports → sockets → workers → stored keys → traffic in
 *   → host watch → GMS
 *
 * Stopping leaves the drops where they are: nothing passes until the next start, or until somebody releases.
 */
import { createApp } from '#api/app.ts';
import { serveApi } from '#api/serve.ts';
import type { EventName, GatewayState, PortView } from '#api/views.ts';
import type { GatewayConfig } from '#config/config.ts';
import { apiSocket } from '#config/state.ts';
import type { ExceptionRule, FromWorker, PolicySettings, RememberedPeer } from '#datapath/messages.ts';
import { WorkerPool } from '#datapath/pool.ts';
import { PcapPorts, type PortOwner, PortSockets } from '#datapath/sockets.ts';
import { formatEndpoint } from '#gms/endpoint.ts';
import { decodeToken } from '#gms/token.ts';
import { DATAPATH_MARK } from '#host/drops.ts';
import { apply, shutdown } from '#host/host.ts';
import { findLink, type PortRole, readLinks } from '#host/links.ts';
import { type HostPlan, plan, survey } from '#host/plan.ts';
import { HostError } from '#host/problem.ts';
import { linux } from '#host/system.ts';
import { type HostEvent, watch } from '#host/watch.ts';
import { KeyClient } from '#keys/client.ts';
import { introduction } from '#keys/introduction.ts';
import type { KeyRing } from '#keys/ring.ts';
import type { KeyAlarm, KeyState } from '#keys/state.ts';
import type { StoredIdentity } from '#keys/store.ts';
import { native } from '#native/native.ts';
import type { CipherProvider, KeyIndex } from '#transform/cipher.ts';
import { loadProviders, type Providers } from '#transform/providers/load.ts';
import { addressFromText } from '#wire/address.ts';
import { macFromText, macNumber } from '#wire/ethernet.ts';
import { PORT_INNER, PORT_MGMT, PORT_OUTER } from '#wire/record.ts';
import { lockedMemoryFault, portFault } from './faults.ts';
import { settleDown } from './footprint.ts';
import { warnOfMemory } from './locked-memory.ts';
import type { Log } from './log.ts';
import { GatewayReport } from './view.ts';
import { asRemembered, identityOf } from './worker-keys.ts';

export interface GatewayOptions {
  readonly config: GatewayConfig;
  readonly configText: string;
  readonly stateDir: string;
  readonly log: Log;
}

export interface RunningGateway {
  /** The exit code, when everything has stopped. */
  readonly stopped: Promise<number>;
  stop(): Promise<void>;
}

const ROLES: readonly PortRole[] = ['outer', 'inner', 'mgmt']; /* index: PORT_* */

/** @throws CannotServe, HostError, GmsError: nothing of this process is left running then, and the drops stay */
export async function startGateway(options: GatewayOptions): Promise<RunningGateway> {
  native.hardenProcess();
  const gateway = new Gateway(options, await loadProviders(options.config.cipher));
  try {
    await gateway.start();
  } catch (error) {
    await gateway.close();
    if (!gateway.wasAsked) throw lockedMemoryFault(error);
  }
  return { stopped: gateway.stopped, stop: () => gateway.stop('stopped by a signal') };
}

class Gateway {
  readonly #config: GatewayConfig;
  readonly #stateDir: string;
  readonly #log: Log;
  readonly #report: GatewayReport;
  readonly #provider: CipherProvider;
  readonly #grants: SharedArrayBuffer | undefined;
  readonly #keys: KeyClient;
  readonly #pool: WorkerPool;
  readonly #sockets: PortOwner;
  readonly #ports: (Pick<PortView, 'role' | 'name' | 'mtu' | 'state'> | undefined)[] = [
    undefined,
    undefined,
    undefined,
  ];
  /** Undone in reverse by `close`. */
  readonly #undo: (() => Promise<void> | void)[] = [];
  readonly #ended = Promise.withResolvers<number>();
  #closing: Promise<void> = Promise.resolve();
  #state: GatewayState = 'starting';
  /** Somebody wanted it to stop. */
  wasAsked = false;
  #ring: KeyRing | undefined;
  /** GMS addresses of a token that is being used: a router must reach them before it has keys. */
  #enrolling: readonly { readonly address: string; readonly port: number }[] = [];
  #exceptions: readonly ExceptionRule[] = [];

  constructor({ config, configText, stateDir, log }: GatewayOptions, providers: Providers) {
    this.#config = config;
    this.#stateDir = stateDir;
    this.#log = log;
    this.#grants = providers.createGrants();
    this.#provider = providers.create(this.#grants);
    this.#undo.push(() => this.#provider.close());
    const { software } = introduction();
    this.#keys = new KeyClient({ directory: stateDir, provider: this.#provider, software });
    const grant = (key: KeyIndex) => this.#provider.grant(key);
    if (config.port === 'pcap') {
      const ports = new PcapPorts(DATAPATH_MARK);
      this.#sockets = ports;
      this.#pool = new WorkerPool(grant, (number) => ports.at(number));
    } else {
      this.#sockets = new PortSockets(config.workers, DATAPATH_MARK);
      this.#pool = new WorkerPool(grant);
    }
    this.#report = new GatewayReport({
      config,
      configText,
      startedAt: performance.now(),
      state: () => this.#state,
      ring: () => this.#ring,
      keys: () => this.#keys.state,
      exceptions: () => this.#exceptions,
      ports: () => this.#ports,
      query: (query) => this.#pool.query(query),
      stop: (why) => void this.stop(why),
      enrol: (token, force) => this.#enrol(token, force),
    });
  }

  get stopped(): Promise<number> {
    return this.#ended.promise;
  }

  async start(): Promise<void> {
    /* Main's memory for keys is had now: without it the first keys would be lost. */
    this.#provider.release(this.#provider.generateKeyPair().secret);
    this.#opened(() => this.#keys.stop());
    const app = createApp(this.#report, (error) => this.#log.error({ error }, 'the API failed'));
    const serving = await serveApi(app, apiSocket(this.#stateDir));
    this.#opened(() => serving.close());

    warnOfMemory('locked-memory', this.#config, this.#log, this.#report);
    const hostPlan = plan(this.#config, await survey(linux));
    const applied = await apply(hostPlan);
    for (const warning of applied.warnings) this.#log.warn({ warning }, 'a route could not be restored');
    this.#opened(() => shutdown(hostPlan));
    const { outer, inner, mgmt, mtu } = applied.ports;
    this.#setPort(PORT_OUTER, outer, mtu);
    this.#setPort(PORT_INNER, inner, mtu);
    if (mgmt !== undefined) this.#setPort(PORT_MGMT, mgmt, mtu);

    await this.#startWorkers(hostPlan);
    this.#keys.on('ring', (ring) => this.#newRing(ring));
    this.#keys.on('alarm', (alarm) => this.#keyAlarm(alarm));
    this.#keys.on('forget-peers', () => this.#pool.broadcast({ type: 'forget', peer: undefined }));
    this.#watchContact();
    this.#keys.load();
    /* Nothing comes in before each worker has keys, policy and peers: it answers once it has done what it was told. */
    await this.#pool.query({ what: 'status' });
    this.#sockets.admit([PORT_OUTER, PORT_INNER, PORT_MGMT]);
    this.#setState(this.#ring === undefined ? this.#config.withoutKeys : 'running');
    const watching = await watch(hostPlan, applied.ports, (event) => this.#hostEvent(event));
    this.#opened(() => watching.close());
    await this.#keys.start();
    settleDown();
    this.#log.info({ state: this.#state, outer, inner, workers: this.#config.workers }, 'the gateway runs');
  }

  /** `undo` closes what was opened. Who is to end while it starts does not go on: nobody would close what follows. */
  #opened(undo: () => Promise<void> | void): void {
    this.#undo.push(undo);
    if (this.#state === 'stopping') throw new Error('the gateway was stopped while it started');
  }

  /* ---- ports and workers ------------------------------------------------------------------------------------ */

  #setPort(role: number, name: string, mtu: number): void {
    try {
      this.#sockets.open(role, name, mtu);
    } catch (error) {
      throw portFault(ROLES[role], name, error);
    }
    this.#ports[role] = { role: ROLES[role], name, mtu, state: 'up' };
  }

  async #startWorkers(hostPlan: HostPlan): Promise<void> {
    this.#opened(() => this.#sockets.closeAll());
    this.#opened(() => this.#pool.stop());
    this.#pool.on('news', (message) => this.#workerNews(message));
    this.#pool.on('failed', (error, worker) => this.#workerFailed(error, worker));
    await this.#pool.start({
      cipher: this.#config.cipher,
      grants: this.#grants,
      fds: this.#sockets.all(),
      names: ROLES.map((_, role) => this.#ports[role]?.name ?? ''),
      mtus: this.#mtus(),
      managementMac: await managementMac(hostPlan),
      policy: this.#policy(),
    });
    const peers = this.#keys.peers.list().map(asRemembered);
    if (peers.length > 0) this.#pool.broadcast({ type: 'remembered', peers });
  }

  #mtus(): number[] {
    return ROLES.map((_, role) => this.#ports[role]?.mtu ?? 0);
  }

  /** @throws HostError when a port that is back cannot be opened */
  #hostEvent(event: HostEvent): void {
    switch (event.event) {
      case 'port-gone':
        this.#portGone(ROLES.indexOf(event.port), event.name);
        break;
      case 'port-back':
        this.#portBack(ROLES.indexOf(event.port), event.name);
        break;
      case 'carrier':
        this.#portState(ROLES.indexOf(event.port), event.up ? 'up' : 'down');
        break;
      case 'mtu':
        this.#newMtu(event.mtu);
        break;
      case 'drops-restored':
        this.#log.warn({ ports: event.names }, 'somebody had removed the drop rules; they are back');
        this.#report.emit('alarm', 'drops-restored', { ports: event.names.join(', ') });
        break;
      case 'trouble':
        this.#log.error({ error: event.error }, 'watching the host failed');
        break;
    }
  }

  #portGone(role: number, name: string): void {
    const fds = this.#sockets.remove(role);
    this.#portState(role, 'missing');
    this.#log.warn({ port: name }, 'a port is gone');
    this.#pool.setPorts(this.#sockets.all(), this.#mtus());
    /* Workers handle their messages in order: after an answer none of them uses the old descriptors. */
    this.#pool.query({ what: 'status' }).then(
      () => this.#sockets.close(fds),
      (error: Error) => {
        this.#log.error({ error, port: name }, 'a worker does not let go of a port that is gone');
        void this.#end(1);
      },
    );
  }

  #portBack(role: number, name: string): void {
    const { mtu } = this.#ports[role] ?? { mtu: 0 };
    this.#setPort(role, name, mtu);
    this.#pool.setPorts(this.#sockets.all(), this.#mtus());
    this.#sockets.admit([role]);
    this.#portState(role, 'up');
    this.#log.info({ port: name }, 'a port is back');
  }

  #newMtu(mtu: number): void {
    this.#ports.forEach((port, role) => {
      if (port !== undefined) this.#ports[role] = { ...port, mtu };
    });
    this.#log.info({ mtu }, 'the ports have another MTU');
    this.#pool.setPorts(this.#sockets.all(), this.#mtus());
  }

  #portState(role: number, state: PortView['state']): void {
    const port = this.#ports[role];
    if (port === undefined) return;
    this.#ports[role] = { ...port, state };
    this.#report.emit(state === 'up' ? 'info' : 'warning', state === 'up' ? 'port-up' : 'port-down', {
      port: port.name,
    });
  }

  #workerNews(message: FromWorker): void {
    switch (message.type) {
      case 'remember':
        this.#remember(message.peer);
        break;
      case 'ask-gms':
        this.#keys.ask(message.why);
        break;
      case 'alarm':
        this.#report.emit('alarm', message.name, { device: message.device, peer: message.peer });
        this.#log.warn({ alarm: message.name, device: message.device, peer: message.peer }, 'an alarm of DPRP');
        break;
      case 'no-key-room':
        warnOfMemory('no-key-room', this.#config, this.#log, this.#report);
    }
  }

  /** A full disk must not end the gateway: the workers remember the peer all the same. */
  #remember({ address, ge, transform, left }: RememberedPeer): void {
    const bytes = Buffer.from(addressFromText(address) ?? []);
    try {
      this.#keys.peers.put({ address: bytes.toString('hex'), ge, transform, until: Date.now() + left });
    } catch (error) {
      this.#log.error({ error: error as Error, peer: address }, 'a protected peer could not be stored');
    }
  }

  /** A worker's pairs are lost with it, and its descriptors are not handed on one by one: the gateway ends, closed. */
  #workerFailed(error: Error, worker: number): void {
    this.#log.error({ error, worker }, 'a datapath worker failed; nothing passes any more');
    this.#report.emit('alarm', 'worker-failed', { worker, error: error.message });
    void this.#end(1);
  }

  /* ---- keys and policy --------------------------------------------------------------------------------------- */

  #newRing(ring: KeyRing | undefined): void {
    this.#ring = ring;
    this.#pool.setPolicy(this.#policy());
    this.#pool.setIdentity(ring && identityOf(ring));
    if (this.#state !== 'starting') this.#setState(ring === undefined ? this.#config.withoutKeys : 'running');
    if (ring === undefined) return;
    const sequence = `${ring.sequence.incarnation}.${ring.sequence.counter}`;
    this.#report.emit('info', 'bundle', { sequence });
    this.#log.info({ sequence, groups: ring.groups.length }, 'keys from the GMS are in use');
  }

  #policy(): PolicySettings {
    const { withoutKeys, nonIp, exceptions } = this.#config;
    const gms = [...(this.#ring?.gms ?? []), ...this.#keys.endpoints, ...this.#enrolling];
    const known = new Map(gms.map((endpoint) => [formatEndpoint(endpoint), endpoint]));
    const toGms = [...known.values()].map(
      ({ address, port }): ExceptionRule => ({ address, protocol: 'tcp', port, direction: 'gms' }),
    );
    this.#exceptions = [...toGms, ...exceptions, ...(this.#ring?.exceptions ?? [])];
    return { withoutKeys, nonIp, exceptions: this.#exceptions, protectedPrefixes: this.#keys.protectedPrefixes };
  }

  async #enrol(token: string, force: boolean): Promise<StoredIdentity> {
    this.#enrolling = decodeToken(token).endpoints;
    this.#pool.setPolicy(this.#policy());
    try {
      return await this.#keys.enrol(token, { ...introduction(this.#config.kind), force });
    } finally {
      this.#enrolling = [];
      this.#pool.setPolicy(this.#policy());
    }
  }

  #keyAlarm({ name, message }: KeyAlarm): void {
    this.#log.error({ alarm: name }, message);
    this.#report.emit('alarm', ...keyEvent(name));
  }

  #watchContact(): void {
    let connected = false;
    let keys: KeyState['keys'] = 'none';
    this.#keys.on('state', (state) => {
      if (state.connected !== connected) {
        connected = state.connected;
        const address = state.gmsAddress ?? '';
        if (connected) this.#report.emit('info', 'gms-connected', { address });
        /* A gateway that was removed asks no more: that the stream ended is no news. */
        const lost = !connected && state.keys !== 'removed';
        if (lost) this.#report.emit('warning', 'gms-lost', { address });
      }
      if (state.keys !== keys) {
        keys = state.keys;
        if (keys === 'expired') this.#report.emit('alarm', 'keys-ended');
      }
    });
  }

  #setState(state: 'closed' | 'open' | 'running' | 'stopping'): void {
    if (this.#state === 'stopping' || this.#state === state) return;
    this.#state = state;
    this.#report.emit(state === 'open' ? 'warning' : 'info', state);
  }

  /* ---- the end ------------------------------------------------------------------------------------------------ */

  async stop(why: string): Promise<void> {
    this.wasAsked = true;
    this.#log.info({ why }, 'the gateway stops; nothing passes until the next start or a release');
    await this.#end(0);
  }

  async #end(code: number): Promise<void> {
    if (this.#state === 'stopping') return;
    this.#setState('stopping');
    await this.close();
    this.#ended.resolve(code);
  }

  /** Undoes what was started, last first; the drops stay. Whoever closes as well waits until that is done. */
  close(): Promise<void> {
    this.#closing = this.#closing.then(() => this.#undoAll());
    return this.#closing;
  }

  async #undoAll(): Promise<void> {
    for (let undo = this.#undo.pop(); undo !== undefined; undo = this.#undo.pop()) {
      try {
        await undo();
      } catch (error) {
        this.#log.error({ error: error instanceof Error ? error : new Error(String(error)) }, 'stopping failed');
      }
    }
  }
}

/** Name and details under which an alarm of the key client is told. */
function keyEvent(name: KeyAlarm['name']): [name: EventName, details?: Record<string, string>] {
  switch (name) {
    case 'removed':
    case 'wrong-root':
      return [name];
    case 'store':
      return ['store-failed'];
    default:
      return ['bundle-refused', { code: name }];
  }
}

async function managementMac(hostPlan: HostPlan): Promise<number | undefined> {
  if (hostPlan.management === undefined) return undefined;
  const link = findLink(await readLinks(linux), hostPlan.management.name);
  const bytes = link && macFromText(link.mac);
  if (bytes === undefined) {
    const problem = {
      en: 'the management interface has no MAC address',
      ja: '管理用インタフェースにMACアドレスがありません',
    };
    const fix = {
      en: 'see ip link; the gateway makes it from the outer port’s address',
      ja: '「ip link」を確認してください。MACアドレスはネットワーク側のポートのものから作られます',
    };
    throw new HostError([{ field: 'management.name', problem, fix }]);
  }
  return macNumber(bytes, 0);
}
