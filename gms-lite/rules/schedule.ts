/** When keys are renewed by themselves, and how long the old one is accepted. docs/gms.md § 7. Times in seconds. */
const DAY = 86_400;

/** By zone: making one takes longer than everything that it is used for. */
const clocks = new Map<string, Intl.DateTimeFormat>();

function clockOf(zone: string): Intl.DateTimeFormat {
  let clock = clocks.get(zone);
  if (clock === undefined) {
    clock = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    clocks.set(zone, clock);
  }
  return clock;
}

/** Seconds since 1970 at which the wall clock of `zone` shows the minute that `now` shows in UTC, minus `now`. */
function zoneOffset(now: number, zone: string): number {
  const parts = clockOf(zone).formatToParts(now * 1000);
  const field = (type: string): number => Number(parts.find((part) => part.type === type)?.value);
  const shown = Date.UTC(
    field('year'),
    field('month') - 1,
    field('day'),
    field('hour'),
    field('minute'),
    field('second'),
  );
  return shown / 1000 - now;
}

/**
 * The moment at which the clock of `zone` shows `wanted` (seconds since 1970, as if it were UTC). A time that daylight
 * saving leaves out comes by the offset before the jump; one that it repeats comes the first time (as RFC 5545, 3.3.5).
 */
function moment(wanted: number, zone: string): number {
  const before = zoneOffset(wanted - DAY, zone);
  const first = wanted - before;
  if (zoneOffset(first, zone) === before) return first;
  const after = zoneOffset(wanted + DAY, zone);
  const second = wanted - after;
  return zoneOffset(second, zone) === after ? second : first;
}

/** The next moment after `now` at which the clock of `zone` shows `at` (`HH:MM`): once on each day of the zone. */
export function nextDaily(now: number, at: string, zone: string): number {
  const [hours, minutes] = at.split(':').map(Number);
  const local = now + zoneOffset(now, zone);
  const midnight = local - (local % DAY);
  /* What was left out of yesterday may come today. */
  for (let day = -1; ; day++) {
    const next = moment(midnight + day * DAY + hours * 3600 + minutes * 60, zone);
    if (next > now) return next;
  }
}

/**
 * The next rotation, where `due` is what was planned: kept while it lies ahead, by not more than a day. Farther away is
 * what a clock planned that ran ahead, or a day that daylight saving makes longer: it is reckoned anew.
 */
export function nextRotation(now: number, due: number, { at, zone }: { at: string; zone: string }): number {
  return due > now && due <= now + DAY ? due : nextDaily(now, at, zone);
}

/** Shortest and longest overlap; s. */
const OVERLAP_SHORTEST = 90;
export const OVERLAP_LONGEST = 3600;

/**
 * How long the replaced version is accepted: min(remaining, max(90 s, min(5 % of the lifetime, 3600 s))). Remaining is
 * the time until the schedule rotates again, so that never more than two versions count.
 */
export function overlap(lifetime: number, remaining: number): number {
  return Math.min(remaining, Math.max(OVERLAP_SHORTEST, Math.min(Math.floor(lifetime * 0.05), OVERLAP_LONGEST)));
}
