/** What the benchmark reads of other programs. */
import { expect, test } from 'vitest';
import { negotiated } from '../../perf/bench/peers/strongswan.ts';

const LOG = `1795326871.300 09[IKE] initiating IKE_SA tunnel[1] to 10.71.0.2
1795326871.310 14[IKE] CHILD_SA net{1} established with SPIs c3a10efc_i 5ffe35e2_o
1795326891.326 16[IKE] initiating IKE_SA tunnel[2] to 10.71.0.2
1795326891.327 09[IKE] establishing CHILD_SA net{2}
1795326891.329 13[IKE] CHILD_SA net{2} established with SPIs 5f304bb2_i 2fae992c_o
`;

test("charon's last negotiation lasts from the start of IKE to the CHILD_SA", () => {
  expect(negotiated(LOG)).toBeCloseTo(3, 3);
});

test('a negotiation that charon has not logged is no figure', () => {
  expect(() => negotiated('1795326891.326 16[IKE] initiating IKE_SA tunnel[2] to 10.71.0.2\n')).toThrow('CHILD_SA');
});
