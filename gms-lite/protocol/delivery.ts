/** Paths and small bodies between gateways and the GMS. docs/gms.md § 6. */
import { z } from 'zod';

export const PATHS = {
  enrol: '/v1/enrol',
  bundle: '/v1/bundle',
  events: '/v1/events',
  acknowledge: '/v1/acknowledge',
} as const;

/** Never lower than before; compare with `compareSequence`. */
export const sequenceSchema = z.object({
  incarnation: z.number().int().positive(),
  counter: z.number().int().nonnegative(),
});
export type Sequence = z.infer<typeof sequenceSchema>;

/** Name of the server-sent event whose data is a Sequence: this bundle is there. */
export const BUNDLE_EVENT = 'bundle';
/** How often the GMS sends an empty comment on a silent stream; a gateway gives a stream up after three. */
export const HEARTBEAT_MS = 20_000;

/** What a gateway says after it put a bundle to use. */
export const acknowledgementSchema = z.object({
  sequence: sequenceSchema,
  software: z.string().max(64).optional(),
});

/** Below, equal or above zero. */
export function compareSequence(a: Sequence, b: Sequence): number {
  return a.incarnation - b.incarnation || a.counter - b.counter;
}

export function sequenceText({ incarnation, counter }: Sequence): string {
  return `${incarnation}.${counter}`;
}
