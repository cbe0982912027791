/** POST /v1/enrol. docs/gms.md § 3. */
import { Hono } from 'hono';
import { PATHS } from '#gms/delivery.ts';
import { type EnrolAnswer, enrolRequestSchema, toText } from '#gms/enrolment.ts';
import type { Gms } from '../gms.ts';
import { enrol } from '../rules/elements.ts';
import { readJson } from './body.ts';

export function enrolRoutes(gms: Gms): Hono {
  return new Hono().post(PATHS.enrol, async (c) => {
    const request = readJson(enrolRequestSchema, await c.req.text());
    const actor = { who: 'gateway', from: 'enrolment' };
    const element = await gms.change(actor, (change) => enrol(change, request));
    const { id, name, kind, mode } = element;
    const answer = { ge: id, name, kind, mode, gmsKey: toText(gms.authority.staticKey), time: gms.seconds };
    return c.json(answer satisfies Record<keyof EnrolAnswer, unknown>);
  });
}
