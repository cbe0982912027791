/**
 * Stacks that perf recorded, of kernel, Node, addon and compiled TypeScript together: folded for a flame graph, and
 * added up by what they are spent on.
 */
import { writeFileSync } from 'node:fs';
import { run } from '#kit/process.ts';

/** Of the Debian package libdevel-nytprof-perl. */
const FLAMEGRAPH = '/usr/share/perl5/Devel/NYTProf/flamegraph.pl';
/** Narrower functions are left out, pixels. */
const NARROWEST = 1;

/** One function of a stack. */
export interface Step {
  readonly symbol: string;
  /** The file that it is from: `[kernel.kallsyms]`, `…/gscip.node`, `/tmp/perf-1234.map` for what V8 compiled. */
  readonly object: string;
}

/** Innermost first. */
export type Stack = readonly Step[];

const FRAME = /^\s*[0-9a-f]+ (.+) \(([^()]*)\)$/;
const COMPILED = /\/perf-\d+\.map$/;
const SOURCE = /(?:JS:[*^~+']*)?(\S*) file:\/\/\S*\/gateway\/(\S+?)(?::\d+)?$/;

/** What `perf script -F ip,sym,dso` prints: blocks of lines with a blank one between. */
export function readStacks(text: string): Stack[] {
  return text
    .split(/\n{2,}/)
    .map((block) =>
      block.split('\n').flatMap((line): Step[] => {
        const found = FRAME.exec(line);
        return found === null ? [] : [{ symbol: found[1], object: found[2] }];
      }),
    )
    .filter((stack) => stack.length > 0);
}

/** The stacks of a recording; while the maps of compiled functions are there, with their names. */
export async function recordedStacks(file: string): Promise<Stack[]> {
  return readStacks(await run(['perf', 'script', '-i', file, '-F', 'ip,sym,dso']));
}

function nameOf({ symbol, object }: Step): string {
  if (!COMPILED.test(object)) return symbol;
  const source = SOURCE.exec(symbol);
  return source === null ? '(compiled)' : `${source[1] === '' ? '(anonymous)' : source[1]} ${source[2]}`;
}

const isLoop = (step: Step): boolean => COMPILED.test(step.object) && step.symbol.includes('datapath/worker');

/** One line per stack, `outermost;…;innermost samples`, without what lies around the worker's loop. */
export function foldStacks(stacks: readonly Stack[]): string[] {
  const folded = new Map<string, number>();
  for (const stack of stacks) {
    const loop = stack.findLastIndex(isLoop);
    const names = stack.slice(0, loop < 0 ? undefined : loop + 1).map((step) => nameOf(step).replaceAll(';', ':'));
    const line = names.reverse().join(';');
    folded.set(line, (folded.get(line) ?? 0) + 1);
  }
  return [...folded].map(([stack, samples]) => `${stack} ${samples}`);
}

/** The first that is written in a drawing. */
const HEADING = /<text [^>]*>([^<]*)</;

/**
 * The drawing without the tool's own program in it, which is under a licence of its own, and with a title of the whole
 * for those who hear it read; titles of stacks tell what is too narrow to be written.
 */
export const still = (svg: string): string =>
  svg
    .replace(/<svg [^>]*>\n?/, (tag) => `${tag}<title>${HEADING.exec(svg)?.[1] ?? ''}</title>\n`)
    .replace(/<script.*?<\/script>\n?/s, '')
    .replace(/ on[a-z]+="[^"]*"/g, '')
    .replace(/<text [^>]*id="(?:unzoom|search|ignorecase|matched)"[^>]*>.*?<\/text>\n?/gs, '');

/** Draws them as `file`.svg beside `file`.folded. */
export async function drawStacks(stacks: readonly Stack[], title: string, file: string): Promise<void> {
  const folded = `${foldStacks(stacks).join('\n')}\n`;
  writeFileSync(`${file}.folded`, folded);
  const options = ['--title', title, '--countname', 'samples', '--minwidth', String(NARROWEST), '--hash'];
  writeFileSync(`${file}.svg`, still(await run(['perl', FLAMEGRAPH, ...options], folded)));
}

/* ---- what a stack is spent on ------------------------------------------------------------------------------------ */

/** In this order: the first that a stack fits is what it is spent on. */
export const COSTS = [
  'far-end',
  'copied-in',
  'receive',
  'copied-out',
  'cutting',
  'rules',
  'send',
  'waiting',
  'cipher',
  'typescript',
  'node',
  'kernel',
] as const;
export type Cost = (typeof COSTS)[number];

const KERNEL: Readonly<Partial<Record<Cost, readonly [within: RegExp, at: RegExp]>>> = {
  /* What the next machine does with a frame: on veth, the sender's processor does it. */
  'far-end': [/^(net_rx_action|__napi_poll|process_backlog)$/, /./],
  'copied-in': [/_recvmmsg$/, /copy_to_iter|copy_to_user|check_object|check_heap_object|virt_addr_valid/],
  receive: [/_recvmmsg$/, /./],
  'copied-out': [/_sendmmsg$/, /copy_from_iter|copy_page_from_iter/],
  cutting: [/_sendmmsg$/, /gso_segment|skb_segment|skb_checksum_help/],
  rules: [/_sendmmsg$/, /^(nft_do_chain|nf_hook_slow)/],
  send: [/_sendmmsg$/, /./],
  waiting: [/_ppoll$/, /./],
};

const CIPHERS = /aes|gcm|ghash|evp|crypto|sha|poly1305|chacha|cipher|openssl/i;

export function costOf(stack: Stack): Cost {
  const has = (pattern: RegExp): boolean => stack.some(({ symbol }) => pattern.test(symbol));
  for (const cost of COSTS) {
    const signs = KERNEL[cost];
    if (signs?.every(has)) return cost;
  }
  const { symbol, object } = stack[0];
  if (object.endsWith('.node') && !/^(transmit|receive|next|load|record|describe|join)/.test(symbol)) return 'cipher';
  if (object.startsWith('[kernel')) return 'kernel';
  if (COMPILED.test(object)) return 'typescript';
  return CIPHERS.test(symbol) ? 'cipher' : 'node';
}

/** The share of each cost in the samples, 0 to 1. @throws Error when nothing was sampled */
export function costShares(stacks: readonly Stack[]): Record<Cost, number> {
  if (stacks.length === 0) throw new Error('perf recorded no stack');
  const shares = Object.fromEntries(COSTS.map((cost) => [cost, 0])) as Record<Cost, number>;
  for (const stack of stacks) shares[costOf(stack)] += 1 / stacks.length;
  return shares;
}
