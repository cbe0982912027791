import { describe, expect, test } from 'vitest';
import { beltScript, DATAPATH_MARK, isBelt, parseTable, protectScript, unprotectedPorts } from '#host/drops.ts';

/** As nft 1.0.6 prints it. */
const STANDS = `table netdev gscip {
	chain in_eth0 {
		type filter hook ingress device "eth0" priority -500; policy drop;
	}

	chain out_eth0 {
		type filter hook egress device "eth0" priority 500; policy drop;
		meta mark 0x47534350 accept
	}
}
`;

describe('drops', () => {
  test('the mark spells GSCP', () => {
    expect(Buffer.from(DATAPATH_MARK.toString(16), 'hex').toString()).toBe('GSCP');
  });

  test('a port with both chains is protected; one without is not', () => {
    expect([...parseTable(STANDS).keys()]).toEqual(['in_eth0', 'out_eth0']);
    expect(unprotectedPorts(STANDS, ['eth0', 'eth1'])).toEqual(['eth1']);
    expect(unprotectedPorts('', ['eth0'])).toEqual(['eth0']);
    expect(
      unprotectedPorts(STANDS.replace('device "eth0" priority -500', 'devices = { eth0 } priority -500'), ['eth0']),
    ).toEqual([]);
  });

  test.each([
    [
      'ingress accepts',
      'ingress device "eth0" priority -500; policy drop',
      'ingress device "eth0" priority -500; policy accept',
    ],
    ['egress accepts', 'priority 500; policy drop', 'priority 500; policy accept'],
    ['egress lets another mark out', '0x47534350', '0x00000001'],
    ['egress lets everything out', 'meta mark 0x47534350 accept', 'meta mark 0x47534350 accept\n\t\taccept'],
    ['egress lets not even the datapath out', '\t\tmeta mark 0x47534350 accept\n', ''],
    ['ingress lets something in', 'policy drop;\n\t}\n\n', 'policy drop;\n\t\tether type arp accept\n\t}\n\n'],
    ['the chain followed another device', 'ingress device "eth0"', 'ingress device "eth9"'],
    ['the chain lost its device', 'ingress device "eth0"', 'ingress'],
    ['ingress is an egress hook', 'hook ingress', 'hook egress'],
  ])('%s: the port counts as unprotected', (_, from, to) => {
    const text = STANDS.replace(from, to);
    expect(text).not.toBe(STANDS);
    expect(unprotectedPorts(text, ['eth0'])).toEqual(['eth0']);
    const script = protectScript(text, ['eth0']);
    expect(script).toMatch(/^(delete chain netdev gscip (in|out)_eth0\n?|.*\n)*$/);
    expect(script.match(/^delete chain/gm)?.length).toBe(1);
    expect(script.match(/^add chain/gm)?.length).toBe(1);
  });

  test('what stands is not touched', () => {
    expect(protectScript(STANDS, ['eth0'])).toBe('add table netdev gscip\n');
    expect(protectScript(STANDS, ['eth0', 'eth1'])).not.toContain('eth0');
  });

  test('the second belt goes by name in every direction, ARP too', () => {
    const script = beltScript(['eth0', 'gscip-mgmt']);
    for (const hook of ['prerouting', 'output', 'postrouting']) expect(script).toContain(`hook ${hook} `);
    expect(script.match(/\{ "eth0", "gscip-mgmt" \} drop/g)?.length).toBe(5);
    expect(script.match(/^add table arp gscip$/gm)?.length).toBe(2);
  });

  describe('the second belt', () => {
    /** As nft 1.0.6 prints it: names in an order of its own. */
    const BELT = `table arp gscip {
	chain arrive {
		type filter hook input priority -500; policy accept;
		iifname { "inner", "outer", "gscip-mgmt" } drop
	}

	chain own {
		type filter hook output priority -500; policy accept;
		oifname { "inner", "outer", "gscip-mgmt" } drop
	}
}
`;
    const PORTS = ['outer', 'inner', 'gscip-mgmt'];

    test('stands when it is around these ports', () => {
      expect(isBelt('arp', BELT, PORTS)).toBe(true);
      expect(isBelt('inet', BELT, PORTS)).toBe(false);
      expect(isBelt('arp', '', PORTS)).toBe(false);
      expect(isBelt('arp', BELT, PORTS.slice(1))).toBe(false);
      expect(isBelt('arp', BELT, [...PORTS, 'eth7'])).toBe(false);
      expect(isBelt('arp', BELT.replaceAll(/\{ "inner".*\}/g, '"outer"'), ['outer'])).toBe(true);
    });

    test.each([
      ['a rule lets frames through', 'iifname {', 'accept\n\t\tiifname {'],
      ['a rule looks the other way', 'oifname', 'iifname'],
      ['a rule accepts', '} drop', '} accept'],
      ['a rule needs something more', '} drop', '} arp operation request drop'],
      ['a chain stands elsewhere', 'hook output', 'hook input'],
      ['a chain is called otherwise', 'chain own', 'chain other'],
      ['a chain is too many', 'chain own', 'chain more {\n\t\taccept\n\t}\n\n\tchain own'],
    ])('%s: it does not stand', (_, from, to) => {
      const text = BELT.replace(from, to);
      expect(text).not.toBe(BELT);
      expect(isBelt('arp', text, PORTS)).toBe(false);
    });
  });
});
