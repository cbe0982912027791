/** Which function measures which row. */
import type { RowName } from './arguments.ts';
import { negotiations, pit } from './computing.ts';
import { echo, known, memory, negotiation, ownNegotiation } from './latency.ts';
import type { Say } from './messages.ts';
import type { Measured } from './result.ts';
import type { Field } from './rounds.ts';
import { download, tcp, udp64, verdict } from './throughput.ts';

export const MEASURES: Readonly<Record<RowName, (field: Field, say: Say) => Promise<Measured[]>>> = {
  memory,
  negotiation,
  'negotiation-own': ownNegotiation,
  known,
  ping: echo,
  tcp,
  verdict,
  udp64,
  download,
  negotiations,
  pit,
};
