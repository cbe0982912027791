/** Numbers as people read them. */
import type { Language } from '#config/text.ts';

/** `1,234` */
export const count = (n: number): string => n.toLocaleString('en-US', { maximumFractionDigits: 0 });

const SIZES = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** Decimal units, as links are measured: `392 B`, `1.5 MB`. */
export function bytes(n: number): string {
  let unit = 0;
  let value = n;
  while (value >= 999.5 && unit < SIZES.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 99.95 ? value.toFixed(0) : value.toFixed(1)} ${SIZES[unit]}`;
}

const UNITS: readonly { readonly ms: number; readonly en: string; readonly ja: string }[] = [
  { ms: 86_400_000, en: ' d', ja: '日' },
  { ms: 3_600_000, en: ' h', ja: '時間' },
  { ms: 60_000, en: ' min', ja: '分' },
  { ms: 1_000, en: ' s', ja: '秒' },
];

/** The two largest units: `1 d 2 h`, `3 min 5 s`; below a second `200 ms`, below ten `0.41 ms`. */
export function duration(ms: number, language: Language): string {
  if (ms < 1_000) return `${ms < 10 ? Number(ms.toFixed(2)) : Math.floor(ms)}${language === 'ja' ? 'ミリ秒' : ' ms'}`;
  const first = UNITS.findIndex((unit) => ms >= unit.ms);
  const parts: string[] = [];
  let rest = ms;
  for (const unit of UNITS.slice(first, first + 2)) {
    const n = Math.floor(rest / unit.ms);
    rest -= n * unit.ms;
    if (n > 0) parts.push(`${n}${unit[language]}`);
  }
  return parts.join(language === 'ja' ? '' : ' ');
}

const two = (n: number): string => String(n).padStart(2, '0');

/** An ISO time in the local time zone, `2026-01-05 03:00:00`; what is not a time stays as it is. */
export function localTime(iso: string): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return iso;
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}
