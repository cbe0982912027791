/**
 * Addresses and routes of an interface, as `ip -j` tells them, and the arguments with which `ip` makes them again on
 * the interface that takes its name. What the kernel makes by itself from an address is left to the kernel.
 */
import { z } from 'zod';

const FOREVER = 0xffff_ffff; /* lifetime in seconds, infinity_life_time */

const address = z.object({
  family: z.enum(['inet', 'inet6']),
  local: z.string(),
  address: z.string().optional(),
  prefixlen: z.number(),
  broadcast: z.string().optional(),
  scope: z.string().default('global'),
  label: z.string().optional(),
  metric: z.number().optional(),
  dynamic: z.boolean().default(false),
  temporary: z.boolean().default(false),
  mngtmpaddr: z.boolean().default(false),
  noprefixroute: z.boolean().default(false),
  valid_life_time: z.number().default(FOREVER),
  preferred_life_time: z.number().default(FOREVER),
});
export type Address = z.infer<typeof address>;

const addressJson = z.array(z.object({ ifname: z.string().optional(), addr_info: z.array(z.unknown()).default([]) }));

const hop = z.object({
  gateway: z.string().optional(),
  via: z.object({ family: z.string(), host: z.string() }).optional(),
  dev: z.string().optional(),
  weight: z.number().optional(),
  flags: z.array(z.string()).default([]),
});

const route = hop.extend({
  type: z.string().default('unicast'),
  dst: z.string(),
  from: z.string().optional(),
  table: z.union([z.string(), z.number()]).default('main'),
  protocol: z.union([z.string(), z.number()]).default('boot'),
  scope: z.union([z.string(), z.number()]).optional(),
  prefsrc: z.string().optional(),
  metric: z.number().optional(),
  pref: z.string().optional(),
  metrics: z.array(z.record(z.string(), z.union([z.number(), z.string()]))).default([]),
  nexthops: z.array(hop).default([]),
});
export type Route = z.infer<typeof route> & { readonly version: 4 | 6 };

export const addressSchema = address;
export const routeSchema = route.extend({ version: z.union([z.literal(4), z.literal(6)]) });

/** Addresses of `name` from `ip -j addr show dev …`, except temporary ones, which the kernel renews by itself. */
export function parseAddresses(json: string, name: string): Address[] {
  const found = addressJson.parse(JSON.parse(json.trim() === '' ? '[]' : json)).find((l) => l.ifname === name);
  return (found?.addr_info ?? []).map((a) => address.parse(a)).filter((a) => !a.temporary);
}

/**
 * Routes by way of `name` from `ip -j -4|-6 route show table all`, except the kernel's and a router's advertised ones.
 */
export function parseRoutes(json: string, version: 4 | 6, name: string): Route[] {
  const all = z.array(z.unknown()).parse(JSON.parse(json.trim() === '' ? '[]' : json));
  const routes: Route[] = [];
  for (const entry of all) {
    const parsed = route.safeParse(entry);
    if (!parsed.success) continue; /* blackholes and the like have no interface */
    const r = parsed.data;
    if (r.type !== 'unicast' || r.protocol === 'kernel' || r.protocol === 'ra' || r.protocol === 'redirect') continue;
    if (r.dev === name || r.nexthops.some((n) => n.dev === name)) routes.push({ ...r, version });
  }
  /* Gateways are reached by routes without one: those come first. */
  return routes.sort((a, b) => Number(hasGateway(a)) - Number(hasGateway(b)));
}

const hasGateway = (r: Route) => r.gateway !== undefined || r.via !== undefined || r.nexthops.length > 0;

/** Arguments of `ip` that put the address on `name`. Duplicate detection was done when it was on the NIC. */
export function addressArguments(a: Address, name: string): string[] {
  const args = ['addr', 'replace', `${a.local}/${a.prefixlen}`];
  if (a.address !== undefined) {
    args.splice(2, 1, a.local);
    args.push('peer', `${a.address}/${a.prefixlen}`);
  }
  if (a.broadcast !== undefined) args.push('broadcast', a.broadcast);
  args.push('dev', name, 'scope', a.scope);
  if (a.label !== undefined) args.push('label', a.label);
  if (a.metric !== undefined) args.push('metric', String(a.metric));
  if (a.valid_life_time !== FOREVER) args.push('valid_lft', String(a.valid_life_time));
  if (a.preferred_life_time !== FOREVER) args.push('preferred_lft', String(a.preferred_life_time));
  if (a.noprefixroute) args.push('noprefixroute');
  if (a.family === 'inet6') {
    if (a.mngtmpaddr) args.push('mngtmpaddr');
    args.push('nodad');
  }
  return args;
}

/** Arguments of `ip` that make the route. */
export function routeArguments(r: Route): string[] {
  const args = [`-${r.version}`, 'route', 'replace', r.dst];
  if (r.from !== undefined) args.push('from', r.from);
  args.push('table', String(r.table), 'protocol', String(r.protocol));
  if (r.scope !== undefined && r.version === 4) args.push('scope', String(r.scope));
  if (r.prefsrc !== undefined) args.push('src', r.prefsrc);
  if (r.metric !== undefined) args.push('metric', String(r.metric));
  if (r.pref !== undefined && r.pref !== 'medium') args.push('pref', r.pref);
  for (const metrics of r.metrics) for (const [name, value] of Object.entries(metrics)) args.push(name, String(value));
  if (r.nexthops.length === 0) args.push(...hopArguments(r));
  for (const n of r.nexthops) {
    args.push('nexthop', ...hopArguments(n));
    if (n.weight !== undefined) args.push('weight', String(n.weight));
  }
  return args;
}

function hopArguments(h: z.infer<typeof hop>): string[] {
  const args: string[] = [];
  if (h.via !== undefined) args.push('via', h.via.family, h.via.host);
  else if (h.gateway !== undefined) args.push('via', h.gateway);
  if (h.dev !== undefined) args.push('dev', h.dev);
  if (h.flags.includes('onlink')) args.push('onlink');
  return args;
}
