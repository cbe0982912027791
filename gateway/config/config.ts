/** The gateway's configuration as one typed value; `schema.ts` makes it from YAML. */
import type { PolicyException } from '#keys/ring.ts';

export interface ManagementPort {
  /** Name of the kernel's end of the management veth. */
  readonly name: string;
  /** Addresses with prefix length, IPv4 and IPv6. */
  readonly addresses: readonly string[];
  /** Default routes, at most one per IP version. */
  readonly gateways: readonly string[];
}

interface ConfigBase {
  /** Interface toward the network. */
  readonly outer: string;
  readonly workers: number;
  /** How frames are received and sent: the addon's packet sockets, or libpcap. */
  readonly port: 'packet' | 'pcap';
  readonly cipher: 'native' | 'noble';
  /** What is allowed while there are no keys. */
  readonly withoutKeys: 'closed' | 'open';
  /** Non-IP frames other than ARP and EAPOL: by mode (pass in open, refuse in closed) or fixed. */
  readonly nonIp: 'by-mode' | 'pass' | 'refuse';
  readonly exceptions: readonly PolicyException[];
  readonly language: 'en' | 'ja' | undefined;
}

export interface BridgeConfig extends ConfigBase {
  readonly kind: 'bridge';
  /** Interface toward the devices. */
  readonly inner: string;
  readonly management: ManagementPort | undefined;
}

export interface RouterConfig extends ConfigBase {
  readonly kind: 'router';
}

export type GatewayConfig = BridgeConfig | RouterConfig;
