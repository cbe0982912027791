import { describe, expect, it } from 'vitest';
import { nextDaily, overlap } from '../../../gms-lite/rules/schedule.ts';

const at = (iso: string): number => Date.parse(iso) / 1000;
const text = (seconds: number): string => new Date(seconds * 1000).toISOString();

describe('the daily rotation', () => {
  it.each([
    ['later today', '2026-01-10T10:00:00Z', '03:00', 'Asia/Tokyo', '2026-01-10T18:00:00.000Z'],
    ['tomorrow, when the hour has passed', '2026-01-10T18:00:00Z', '03:00', 'Asia/Tokyo', '2026-01-11T18:00:00.000Z'],
    ['in UTC', '2026-01-10T02:59:59Z', '03:00', 'UTC', '2026-01-10T03:00:00.000Z'],
    ['over the jump to summer time', '2026-03-28T12:00:00Z', '03:00', 'Europe/Berlin', '2026-03-29T01:00:00.000Z'],
    ['after the jump back', '2026-10-25T12:00:00Z', '03:00', 'Europe/Berlin', '2026-10-26T02:00:00.000Z'],
  ])('comes %s', (_, now, hour, zone, next) => {
    expect(text(nextDaily(at(now), hour, zone))).toBe(next);
  });

  it('always lies ahead, less than two days, whatever the clocks of the zone do', () => {
    for (let now = at('2026-10-24T00:00:00Z'); now < at('2026-10-27T00:00:00Z'); now += 1700) {
      for (const zone of ['Europe/Berlin', 'America/New_York', 'Asia/Tokyo', 'Australia/Lord_Howe']) {
        const wait = nextDaily(now, '02:30', zone) - now;
        expect(wait).toBeGreaterThan(0);
        expect(wait).toBeLessThan(2 * 86_400);
      }
    }
  });
});

describe('the overlap of two versions', () => {
  it.each([
    ['5 % of a lifetime of 10 hours', 36_000, 20_000, 1800],
    ['an hour at most', 86_400, 80_000, 3600],
    ['90 s at least', 600, 500, 90],
    ['never longer than until the next rotation', 86_400, 30, 30],
    ['an hour where nothing is scheduled', Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 3600],
  ])('is %s', (_, lifetime, remaining, seconds) => {
    expect(overlap(lifetime, remaining)).toBe(seconds);
  });
});
