/** When keys are renewed by themselves, and how long the old one is accepted. docs/gms.md § 7. Times in seconds. */
const DAY = 86_400;

/** Seconds since 1970 at which the wall clock of `zone` shows the minute that `now` shows in UTC, minus `now`. */
function zoneOffset(now: number, zone: string): number {
  const parts = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  }).formatToParts(now * 1000);
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
 * The next moment after `now` at which the clock of `zone` shows `at` (`HH:MM`). A time that daylight saving leaves out
 * comes by the offset before the jump; one that it repeats comes once, the first time.
 */
export function nextDaily(now: number, at: string, zone: string): number {
  const [hours, minutes] = at.split(':').map(Number);
  const local = now + zoneOffset(now, zone);
  const midnight = local - (local % DAY);
  for (let day = 0; ; day++) {
    const wanted = midnight + day * DAY + hours * 3600 + minutes * 60;
    const guess = wanted - zoneOffset(now, zone);
    const exact = wanted - zoneOffset(guess, zone);
    if (exact > now) return exact;
  }
}

/** Shortest and longest overlap; s. */
const OVERLAP_SHORTEST = 90;
const OVERLAP_LONGEST = 3600;

/**
 * How long the replaced version is accepted: min(remaining, max(90 s, min(5 % of the lifetime, 3600 s))). Remaining is
 * the time until the schedule rotates again, so that never more than two versions count.
 */
export function overlap(lifetime: number, remaining: number): number {
  return Math.min(remaining, Math.max(OVERLAP_SHORTEST, Math.min(Math.floor(lifetime * 0.05), OVERLAP_LONGEST)));
}
