import { describe, expect, it, test } from 'vitest';
import { nextDaily, overlap } from '../../../gms-lite/rules/schedule.ts';

const at = (iso: string): number => Date.parse(iso) / 1000;
const text = (seconds: number): string => new Date(seconds * 1000).toISOString();

describe('the daily rotation', () => {
  it.each([
    ['later today', '2026-01-10T10:00:00Z', '03:00', 'Asia/Tokyo', '2026-01-10T18:00:00.000Z'],
    ['tomorrow, when the hour has passed', '2026-01-10T18:00:00Z', '03:00', 'Asia/Tokyo', '2026-01-11T18:00:00.000Z'],
    ['in UTC', '2026-01-10T02:59:59Z', '03:00', 'UTC', '2026-01-10T03:00:00.000Z'],
    ['over the jump to summer time', '2026-03-28T12:00:00Z', '03:00', 'Europe/Berlin', '2026-03-29T01:00:00.000Z'],
    [
      'at a time that is left out, by the offset before',
      '2026-03-28T12:00:00Z',
      '02:30',
      'Europe/Berlin',
      '2026-03-29T01:30:00.000Z',
    ],
    ['after a time that was left out', '2026-03-29T01:30:00Z', '02:30', 'Europe/Berlin', '2026-03-30T00:30:00.000Z'],
    [
      'at a time that is repeated, the first time',
      '2026-10-24T12:00:00Z',
      '02:30',
      'Europe/Berlin',
      '2026-10-25T00:30:00.000Z',
    ],
    [
      'at a time that is repeated, not again',
      '2026-10-25T00:45:00Z',
      '02:30',
      'Europe/Berlin',
      '2026-10-26T01:30:00.000Z',
    ],
    ['where midnight is left out', '2026-09-05T12:00:00Z', '00:00', 'America/Santiago', '2026-09-06T04:00:00.000Z'],
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

test.each([
  ['Europe/Berlin', '2026-03-27'],
  ['Europe/Berlin', '2026-10-23'],
  ['America/New_York', '2026-03-06'],
  ['America/New_York', '2026-10-30'],
  ['America/Santiago', '2026-04-03'],
  ['America/Santiago', '2026-09-04'],
  ['Australia/Lord_Howe', '2026-04-03'],
  ['Australia/Lord_Howe', '2026-10-02'],
])('every day once, and the same moment whenever it is asked for: %s, %s', (zone, start) => {
  for (const hour of ['00:00', '02:15', '02:30', '23:30']) {
    const first = nextDaily(at(`${start}T00:00:00Z`), hour, zone);
    let due = first;
    for (let now = first - 3600; now < first + 4 * 86_400; now += 2900) {
      if (now >= due) {
        const next = nextDaily(due, hour, zone);
        expect(Math.abs(next - due - 86_400), `${hour}, ${text(due)}`).toBeLessThanOrEqual(3600);
        due = next;
      }
      expect(text(nextDaily(now, hour, zone)), `${hour}, ${text(now)}`).toBe(text(due));
    }
  }
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
