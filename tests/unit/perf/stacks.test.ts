import { describe, expect, test } from 'vitest';
import { costOf, costShares, foldStacks, readStacks, still } from '../../perf/profile/stacks.ts';

const LOOP = '7f40 JS:*run file:///home/gscip/gateway/datapath/worker.ts:70:13 (/tmp/perf-77.map)';

/** Stacks as `perf script` prints them, innermost first. */
const SCRIPT = `
\tffffffff81000001 _copy_to_iter ([kernel.kallsyms])
\tffffffff81000002 packet_recvmsg ([kernel.kallsyms])
\tffffffff81000003 __x64_sys_recvmmsg ([kernel.kallsyms])
\t          10b060 __recvmmsg (/usr/lib/x86_64-linux-gnu/libc.so.6)
\t    ${LOOP}
\t          a22df1 v8::(anonymous namespace)::Invoke (/opt/bin/node)

\tffffffff81000001 _copy_to_iter ([kernel.kallsyms])
\tffffffff81000002 packet_recvmsg ([kernel.kallsyms])
\tffffffff81000003 __x64_sys_recvmmsg ([kernel.kallsyms])
\t          10b060 __recvmmsg (/usr/lib/x86_64-linux-gnu/libc.so.6)
\t    ${LOOP}

\t            8d82 vaes_run (/opt/build/gscip.node)
\t            c151 hctr2_run (/opt/build/gscip.node)
\t    ${LOOP}

\t    7f40cc1a33d4 JS:~find file:///home/gscip/gateway/pit/index.ts:64:7 (/tmp/perf-77.map)
\t    ${LOOP}
`;

/** A stack of kernel functions, innermost first. */
const kernel = (...symbols: string[]) => symbols.map((symbol) => ({ symbol, object: '[kernel.kallsyms]' }));
const SEND = ['packet_sendmsg', '__x64_sys_sendmmsg'];

describe('stacks that perf recorded', () => {
  test('are read innermost first, names with spaces and brackets whole', () => {
    const stacks = readStacks(SCRIPT);
    expect(stacks.map((stack) => stack.length)).toEqual([6, 5, 3, 2]);
    expect(stacks[0][0]).toEqual({ symbol: '_copy_to_iter', object: '[kernel.kallsyms]' });
    expect(stacks[0][5]).toEqual({ symbol: 'v8::(anonymous namespace)::Invoke', object: '/opt/bin/node' });
  });

  test('are folded from the loop of the worker on, equal ones into one line', () => {
    expect(foldStacks(readStacks(SCRIPT))).toEqual([
      'run datapath/worker.ts:70;__recvmmsg;__x64_sys_recvmmsg;packet_recvmsg;_copy_to_iter 2',
      'run datapath/worker.ts:70;hctr2_run;vaes_run 1',
      'run datapath/worker.ts:70;find pit/index.ts:64 1',
    ]);
  });

  test('a line of a flame graph has no other semicolons than between functions', () => {
    expect(foldStacks([[{ symbol: 'a;b', object: 'x' }]])).toEqual(['a:b 1']);
  });

  test('shares are of all samples', () => {
    const shares = costShares(readStacks(SCRIPT));
    expect(shares).toMatchObject({ 'copied-in': 0.5, cipher: 0.25, typescript: 0.25, send: 0 });
    expect(() => costShares([])).toThrow('perf recorded no stack');
  });
});

test.each([
  ['copied-in', kernel('_copy_to_iter', 'packet_recvmsg', '__x64_sys_recvmmsg')],
  ['receive', kernel('kfree', 'packet_recvmsg', '__x64_sys_recvmmsg')],
  ['copied-out', kernel('_copy_from_iter', 'copy_page_from_iter', ...SEND)],
  ['cutting', kernel('memcpy', 'skb_segment', 'tcp_gso_segment', ...SEND)],
  ['rules', kernel('nft_do_chain', 'nf_hook_slow', '__dev_queue_xmit', ...SEND)],
  ['send', kernel('veth_xmit', '__dev_queue_xmit', ...SEND)],
  ['far-end', kernel('_copy_to_iter', 'tcp_rcv', '__napi_poll', 'net_rx_action', '__dev_queue_xmit', ...SEND)],
  ['waiting', kernel('schedule', 'do_poll', '__x64_sys_ppoll')],
  ['kernel', kernel('irqentry_exit_to_user_mode')],
  ['cipher', [{ symbol: 'aesni_gcm_encrypt', object: '/opt/bin/node' }]],
  ['node', [{ symbol: 'Builtins_LoadIC', object: '/opt/bin/node' }]],
  ['node', [{ symbol: 'receive_frames', object: '/opt/build/gscip.node' }]],
])('%s', (cost, stack) => {
  expect(costOf(stack)).toBe(cost);
});

test('a drawing is a picture with a title, and no program', () => {
  const drawn =
    '<svg width="9" onload="init(evt)">\n<script type="text/ecmascript">\n<![CDATA[ a(); ]]>\n</script>\n<text id="title" x="1" onclick="zoom(this)">t</text>\n<text id="search" x="2">Search</text>\n<text id="matched" x="3"> </text>\n</svg>';
  expect(still(drawn)).toBe('<svg width="9">\n<title>t</title>\n<text id="title" x="1">t</text>\n</svg>');
});
