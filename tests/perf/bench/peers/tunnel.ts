/** A tunnel between two gateways of others: what the benchmark asks of each. */
export interface Tunnel {
  /** Of the program and its Debian package. */
  readonly version: string;
  /** What a reader needs to know of its configuration. */
  readonly settings: string;
  /** Gw-a forgets its session: the next packet from h1 negotiates as if it were the first. Absent where none would. */
  readonly forget?: () => Promise<void>;
  /** Mean milliseconds of so many negotiations by the tunnel's own clock; absent where it keeps none. */
  readonly initiate?: (count: number) => Promise<number>;
}
