/** Under keyed checksums a packet that nobody vouches for says nothing about the far end. */
import { describe, expect } from 'vitest';
import { FLIGHT_MS } from '#datapath/limits.ts';
import { dprpType } from '../kit/sim-diagram.ts';
import { udp } from '../kit/sim-frames.ts';
import { keyBoth, marked, OUT, pairOf } from '../kit/sim-marked.ts';
import { story } from '../kit/sim-story.ts';

const DDE = 1;

describe('from sealed to pccom with keyed checksums', () => {
  story('the sealed keys go soon after the first packet that verifies, not after a forged one', (world) => {
    keyBoth(world, 'sealed', 1);
    world.sendFromH1(udp(OUT, 1, 2, marked(1)));
    world.run(1_000);
    /* a renews: where b did, the sealed keys would go soon in any case. And b hears no data but what is let through. */
    let through = false;
    world.mallory = ({ bytes }, from) => {
      const type = dprpType(bytes);
      return type === 0 ? through : type !== DDE || from === 'a';
    };
    keyBoth(world, 'pccom-keyed', 2, 1);
    const held = () => pairOf(world.b).associations.flatMap((one) => (one === undefined ? [] : [one.transform]));
    const switched = () => pairOf(world.b).associations[pairOf(world.b).receiving]?.transform === 'pccom-keyed';
    for (let i = 0; i < 100 && !switched(); i++) {
      world.sendFromH1(udp(OUT, 1, 2, marked(i)));
      world.run(100);
    }
    expect(held().sort()).toEqual(['pccom-keyed', 'sealed']);
    through = true;
    world.wire.left.send({ ...world.crossed[0].frame, bytes: udp(OUT, 1, 2, marked(2)) });
    world.run(0);
    through = false;
    world.run(FLIGHT_MS + 1_000);
    expect(world.b.drops()).toEqual({ 'pccom-forged-checksum': 1 });
    expect(held().sort()).toEqual(['pccom-keyed', 'sealed']);
    through = true;
    world.sendFromH1(udp(OUT, 1, 2, marked(3)));
    world.run(FLIGHT_MS + 1_000);
    expect(held()).toEqual(['pccom-keyed']);
  });
});
