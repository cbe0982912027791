/** What keys of associations take of a provider. */
import type { TransformName } from '#dprp/spec.ts';
import { MAX_ASSOCIATIONS } from './limits.ts';

/** How many keys an association has. */
export const KEY_PLACES: Readonly<Record<TransformName, number>> = { sealed: 2, pccom: 4, 'pccom-keyed': 6 };

/** How many of these take locked memory beside their place: HCTR2's and the mask's. */
export const WIDE_KEYS: Readonly<Record<TransformName, number>> = { sealed: 0, pccom: 2, 'pccom-keyed': 4 };

/** The most that a worker has of those that take locked memory: all its associations have keyed checksums. */
export const MAX_WIDE_KEYS =
  Math.floor((KEY_PLACES.sealed * MAX_ASSOCIATIONS) / KEY_PLACES['pccom-keyed']) * WIDE_KEYS['pccom-keyed'];
