/** What an administrator asks, on the Unix socket only. No answer holds key material. docs/gms.md § 8. */
import { type Context, Hono } from 'hono';
import { z } from 'zod';
import { checksumSchema, transformSchema } from '#gms/bundle.ts';
import { sequenceText } from '#gms/delivery.ts';
import { kindSchema, modeSchema, nameSchema } from '#gms/enrolment.ts';
import { encodeToken, newTokenSecret, tokenHash } from '#gms/token.ts';
import type { Gms } from '../gms.ts';
import { type Actor, activeElements, brokenAudit, policyOf, siteOf } from '../rules/change.ts';
import { createToken, findElement, removeElement, setElement } from '../rules/elements.ts';
import { addMember, createGroup, findGroup, groupsOf, membersOf, removeMember } from '../rules/groups.ts';
import { keysOf, rotate } from '../rules/keys.ts';
import { canonicalPrefix, parseException, setPolicy } from '../rules/policy.ts';
import { DOMAIN, type Element, type Group, numberId } from '../store/records.ts';
import { readJson } from './body.ts';

/** Header in which the command line says which user of the machine asks. */
export const ACTOR_HEADER = 'gscip-actor';
/** Longest life of a token; s. */
const TOKEN_LONGEST = 7 * 86_400;
const AUDIT_PAGE = 1000;

const rotationSchema = z
  .object({
    at: z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be HH:MM'),
    zone: z.string().refine((zone) => {
      try {
        return Intl.DateTimeFormat('en', { timeZone: zone }) !== undefined;
      } catch {
        return false;
      }
    }, 'must be a time zone such as Asia/Tokyo'),
  })
  .nullable();

const groupSchema = z.object({
  name: nameSchema,
  number: z.number().int().min(1).max(0xffff_ffff).optional(),
  transform: transformSchema.default('sealed'),
  checksum: checksumSchema.default('ordinary'),
  rotation: rotationSchema.default(null),
});
const elementSchema = z.object({
  name: nameSchema.optional(),
  mode: modeSchema.optional(),
  kind: kindSchema.optional(),
});
const tokenSchema = z.object({
  name: nameSchema.nullable().default(null),
  kind: kindSchema.nullable().default(null),
  mode: modeSchema.default('open'),
  groups: z.array(z.string()).max(64).default([]),
  /** Seconds. */
  ttl: z.number().int().min(1).max(TOKEN_LONGEST).default(3600),
});
const rotationsSchema = z.union([
  z.object({ group: z.string() }),
  z.object({ all: z.literal(true) }),
  z.object({ domain: z.literal(true) }),
]);
const policySchema = z.object({
  protectedPrefixes: z.array(z.string()).optional(),
  exceptions: z.array(z.string()).optional(),
  /** 0 for without end; ten years at most. */
  offlineHours: z.number().int().min(0).max(87_600).optional(),
  forgetPeers: z.boolean().default(false),
});

export function adminRoutes(gms: Gms): Hono {
  const { store } = gms;
  const actor = (c: Context): Actor => ({
    who: (c.req.header(ACTOR_HEADER) ?? 'unknown').slice(0, 64),
    from: 'admin socket',
  });

  const showGroup = (group: Group) => ({
    number: group.number,
    name: group.name,
    kind: group.kind,
    transform: group.transform,
    checksum: group.checksum ?? 'ordinary',
    rotation: group.rotation,
    rotatesAt: group.rotatesAt,
    versions: showVersions(group.number),
    members: membersOf(store, group.number).map((ge) => store.get('element', ge)!.name),
  });
  const showVersions = (group: number) =>
    keysOf(store, group).map(({ version, notBefore, notAfter }) => ({ version, notBefore, notAfter }));
  const showElement = (element: Element) => ({
    id: element.id,
    name: element.name,
    kind: element.kind,
    mode: element.mode,
    state: element.state,
    groups: groupsOf(store, element.id).map((group) => store.get('group', numberId(group))!.name),
    bundle: sequenceText(gms.sequenceOf(element)),
    held: element.held < 0 ? null : sequenceText({ ...gms.sequenceOf(element), counter: element.held }),
    current: element.held === element.counter,
    lastSeen: element.lastSeen,
    enrolledAt: element.enrolledAt,
    software: element.software,
  });

  return new Hono()
    .get('/groups', (c) => c.json([...store.list('group')].map(showGroup)))
    .post('/groups', async (c) => {
      const request = readJson(groupSchema, await c.req.text());
      return c.json(showGroup(await gms.change(actor(c), (change) => createGroup(change, request))), 201);
    })
    .put('/groups/:group/members/:ge', async (c) => {
      const { group, ge } = c.req.param();
      await gms.change(actor(c), (change) => addMember(change, findGroup(store, group), findElement(store, ge)));
      return c.json(showGroup(findGroup(store, group)));
    })
    .delete('/groups/:group/members/:ge', async (c) => {
      const { group, ge } = c.req.param();
      await gms.change(actor(c), (change) => removeMember(change, findGroup(store, group), findElement(store, ge)));
      return c.json(showGroup(findGroup(store, group)));
    })
    .get('/elements', (c) => c.json([...store.list('element')].map(showElement)))
    .patch('/elements/:ge', async (c) => {
      const { name, mode, kind } = readJson(elementSchema, await c.req.text());
      const element = findElement(store, c.req.param('ge'));
      const values = { ...(name && { name }), ...(mode && { mode }), ...(kind && { kind }) };
      await gms.change(actor(c), (change) => setElement(change, element, values));
      return c.json(showElement(store.get('element', element.id)!));
    })
    .delete('/elements/:ge', async (c) => {
      const element = findElement(store, c.req.param('ge'));
      await gms.change(actor(c), (change) => removeElement(change, element));
      return c.json(showElement(store.get('element', element.id)!));
    })
    .post('/tokens', async (c) => {
      const { name, kind, mode, groups, ttl } = readJson(tokenSchema, await c.req.text());
      const secret = newTokenSecret();
      const expiry = gms.seconds + ttl;
      await gms.change(actor(c), (change) => {
        const numbers = groups.map((group) => findGroup(store, group).number);
        createToken(change, { hash: tokenHash(secret), name, kind, mode, groups: [...new Set(numbers)], expiry });
      });
      const { fingerprint } = gms.authority;
      const token = encodeToken({ expiry, fingerprint, secret, endpoints: siteOf(store).endpoints });
      return c.json({ token, expiry, name, kind, mode, groups }, 201);
    })
    .post('/rotations', async (c) => {
      const request = readJson(rotationsSchema, await c.req.text());
      const rotated = await gms.change(actor(c), (change) => {
        const numbers =
          'group' in request
            ? [findGroup(store, request.group).number]
            : 'domain' in request
              ? [DOMAIN]
              : [DOMAIN, ...[...store.list('group')].map((group) => group.number)];
        return numbers.map((number) => ({
          group: number === DOMAIN ? null : store.get('group', numberId(number))!.name,
          version: rotate(change, number, 'now'),
        }));
      });
      return c.json(rotated);
    })
    .get('/policy', (c) => c.json(policyOf(store)))
    .patch('/policy', async (c) => {
      const { protectedPrefixes, exceptions, offlineHours, forgetPeers } = readJson(policySchema, await c.req.text());
      const values = {
        ...(protectedPrefixes && { protectedPrefixes: protectedPrefixes.map(canonicalPrefix) }),
        ...(exceptions && { exceptions: exceptions.map(parseException) }),
        ...(offlineHours !== undefined && { offlineHours }),
      };
      return c.json(await gms.change(actor(c), (change) => setPolicy(change, values, forgetPeers)));
    })
    .get('/status', (c) => {
      const active = activeElements(store);
      const { endpoints, incarnation } = siteOf(store);
      return c.json({
        endpoints,
        incarnation,
        fingerprint: Buffer.from(gms.authority.fingerprint).toString('hex'),
        gateways: active.length,
        current: active.filter((element) => element.held === element.counter).length,
        groups: [...store.list('group')].length,
        domain: showVersions(DOMAIN),
        audit: store.last('audit')?.number ?? 0,
      });
    })
    .get('/audit', (c) => {
      const entries = [...store.list('audit')];
      const broken = brokenAudit(entries);
      return c.json({ intact: broken === undefined, broken: broken ?? null, entries: entries.slice(-AUDIT_PAGE) });
    });
}
