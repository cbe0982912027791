/** The gateway's own record of what people did that weakens protection: appended and on the disk before it is done. */
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { userInfo } from 'node:os';
import { auditFile } from '#config/state.ts';
import { Failure } from './failure.ts';
import type { Say } from './messages.ts';

export interface AuditEntry {
  readonly action: 'release' | 'replace-enrolment';
  readonly reason?: string;
}

/** Who asked: behind sudo the person, not root. */
function person(environment: Readonly<Record<string, string | undefined>>): string {
  return environment.SUDO_USER || userInfo().username;
}

/** Writes one line; throws Failure when it cannot, and then nothing may be done. */
export function audit(
  stateDir: string,
  entry: AuditEntry,
  context: { readonly environment: Readonly<Record<string, string | undefined>>; readonly say: Say },
): void {
  const file = auditFile(stateDir);
  const line = { time: new Date().toISOString(), ...entry, person: person(context.environment) };
  try {
    const fd = openSync(file, 'a', 0o600);
    try {
      writeSync(fd, `${JSON.stringify(line)}\n`);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? String(error);
    throw new Failure([context.say('audit-failed', { file, why })]);
  }
}
