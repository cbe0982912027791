/** The two routers of peers/lab.ts. */

/** One of the two routers. */
export interface Site {
  readonly name: 'gw-a' | 'gw-b';
  /** Its own on the cable between them, and the other's. */
  readonly address: string;
  readonly other: string;
  readonly network: string;
  readonly otherNetwork: string;
}

export const SITES: readonly [Site, Site] = [
  {
    name: 'gw-a',
    address: '10.71.0.1',
    other: '10.71.0.2',
    network: '10.71.1.0/24',
    otherNetwork: '10.71.2.0/24',
  },
  {
    name: 'gw-b',
    address: '10.71.0.2',
    other: '10.71.0.1',
    network: '10.71.2.0/24',
    otherNetwork: '10.71.1.0/24',
  },
];
