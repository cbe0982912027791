/**
 * The log of a gateway process, on standard error: JSON lines for machines, short lines for a person at a terminal.
 * English only; what people look at every day (status, events) has both languages elsewhere.
 *
 * Details are numbers, short texts and errors. Bytes do not fit the type, so a key cannot be logged by mistake.
 */
import pino from 'pino';

type Detail = string | number | boolean | undefined | readonly string[] | readonly number[];

/** `error` is for an exception of our own; its stack is written at level debug only. */
export type LogDetails = { readonly error?: Error | undefined } & { readonly [name: string]: Detail | Error };

export interface Log {
  debug(details: LogDetails, message: string): void;
  info(details: LogDetails, message: string): void;
  warn(details: LogDetails, message: string): void;
  error(details: LogDetails, message: string): void;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Where lines go: standard error, or a list in a test. */
export interface LogSink {
  write(line: string): void;
}

export interface LogOptions {
  readonly json: boolean;
  readonly level?: LogLevel;
  readonly sink?: LogSink;
}

export function createLog({ json, level = 'info', sink }: LogOptions): Log {
  /* Synchronous: the last line before a crash is the one that is wanted. */
  const out = sink ?? pino.destination({ fd: 2, sync: true });
  const log = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: (error: unknown) => shownError(error, level === 'debug') },
    },
    json ? out : { write: (line: string) => void out.write(shortLine(line)) },
  );
  return {
    debug: (details, message) => log.debug(details, message),
    info: (details, message) => log.info(details, message),
    warn: (details, message) => log.warn(details, message),
    error: (details, message) => log.error(details, message),
  };
}

function shownError(error: unknown, withStack: boolean): unknown {
  if (!(error instanceof Error)) return error;
  const { code } = error as NodeJS.ErrnoException;
  return [code, withStack ? error.stack : error.message].filter(Boolean).join(': ');
}

/** `12:34:56 warn  the GMS does not answer  address=192.0.2.9 tries=3` */
function shortLine(json: string): string {
  const { time, level, msg, ...details } = JSON.parse(json) as Record<string, unknown>;
  const shown = Object.entries(details).map(([name, value]) => `${name}=${plain(value)}`);
  return `${[String(time).slice(11, 19), String(level).padEnd(5), msg, ...shown].join(' ')}\n`;
}

function plain(value: unknown): string {
  const text = Array.isArray(value) ? value.join(',') : String(value);
  return /^[\w.:/@,+-]+$/.test(text) ? text : JSON.stringify(text);
}
