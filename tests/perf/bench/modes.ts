/** What is compared: what stands between the two hosts of a lab. */

/** The gateway in its transforms, and with a pair that it lets pass in plaintext. */
export const OURS = ['sealed', 'pccom', 'verdict'] as const;
export type Ours = (typeof OURS)[number];

/** User-space tunnels from Debian: what the gateways are compared with where a kernel bridge is not enough. */
export const PEERS = ['wireguard-go', 'strongswan'] as const;
export type Peer = (typeof PEERS)[number];

/** `plain`: a kernel bridge in each gateway's place. In the order of a table. */
export const MODES = ['plain', ...OURS, ...PEERS] as const;
export type Mode = (typeof MODES)[number];

export const isOurs = (mode: Mode): mode is Ours => (OURS as readonly Mode[]).includes(mode);
export const isPeer = (mode: Mode): mode is Peer => (PEERS as readonly Mode[]).includes(mode);
