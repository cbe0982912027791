/** What a gateway says of itself to its GMS, at enrolment and with each acknowledgement. docs/gms.md § 3. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Kind } from '#dprp/spec.ts';
import { nameSchema } from '#gms/enrolment.ts';

const { name: program, version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  name: string;
  version: string;
};

export interface Introduction {
  /** The machine's name, where the GMS takes it as a gateway's. */
  readonly name?: string;
  /** Left out where no configuration says it. */
  readonly kind?: Kind;
  readonly software: string;
}

export function introduction(kind?: Kind, host = hostname()): Introduction {
  const name = nameSchema.safeParse(host).data;
  return { ...(name !== undefined && { name }), ...(kind && { kind }), software: `${program} ${version}` };
}
