/** Reads server-sent events (HTML § 9.2) from a stream's chunks: only `event` and `data`, bounded. */
import { StringDecoder } from 'node:string_decoder';
import { BUNDLE_EVENT, type Sequence, sequenceSchema } from '#gms/delivery.ts';

export interface ServerEvent {
  readonly event: string;
  readonly data: string;
}

/** Characters of an event; a longer one ends the stream. */
const EVENT_MAX = 4096;

export class EventReader {
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';

  /** Events that are complete with this chunk; undefined when the stream is none of ours. */
  read(chunk: Uint8Array): ServerEvent[] | undefined {
    const blocks = (this.#rest + this.#decoder.write(Buffer.from(chunk))).split(/\r?\n\r?\n/);
    this.#rest = blocks.pop() ?? '';
    if (this.#rest.length > EVENT_MAX) return undefined;
    return blocks.map(parse).filter((event) => event !== undefined);
  }
}

function parse(block: string): ServerEvent | undefined {
  let event = 'message';
  const data: string[] = [];
  for (const line of block.split(/\r?\n/)) {
    const [, field, value] = /^(event|data): ?(.*)$/.exec(line) ?? [];
    if (field === 'event') event = value;
    if (field === 'data') data.push(value);
  }
  return data.length === 0 ? undefined : { event, data: data.join('\n') };
}

/** The sequence of the bundle that an event announces; undefined for other events, and for what nobody understands. */
export function announcedSequence({ event, data }: ServerEvent): Sequence | undefined {
  if (event !== BUNDLE_EVENT) return undefined;
  try {
    return sequenceSchema.safeParse(JSON.parse(data)).data;
  } catch {
    return undefined;
  }
}
