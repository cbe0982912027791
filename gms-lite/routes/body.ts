/** Bodies of requests: JSON that a schema accepts, or an error that names the field. */
import type { z } from 'zod';
import { GmsError } from '#gms/errors.ts';

/** @throws GmsError bad-field */
export function readJson<S extends z.ZodType>(schema: S, text: string): z.infer<S> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new GmsError('bad-field', { field: 'body', problem: 'must be JSON' });
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0];
  throw new GmsError('bad-field', { field: path.join('.') || 'body', problem: message });
}
