/** A provider whose room for keys of associations is bounded, as where no more memory can be locked. */
import { type CipherProvider, type KeyIndex, NO_KEY } from '#transform/cipher.ts';

const MAKERS = ['expandAead', 'expandWide', 'expandShort', 'expandMask'] as const;

export interface KeyRoom {
  /** Keys of associations that may still be made; one that is released gives its room back. */
  left: number;
  /** Keys of associations, and imported ones, that were not released. */
  readonly live: ReadonlySet<KeyIndex>;
}

/** Changes `provider`, which has made no such key yet. */
export function boundKeyRoom(provider: CipherProvider, left = Number.POSITIVE_INFINITY): KeyRoom {
  const ofAssociations = new Set<KeyIndex>();
  const live = new Set<KeyIndex>();
  const room: KeyRoom = { left, live };
  for (const name of MAKERS) {
    const make = provider[name].bind(provider) as (...parts: unknown[]) => KeyIndex;
    const bounded = (...parts: unknown[]): KeyIndex => {
      if (room.left <= 0) return NO_KEY;
      room.left -= 1;
      const key = make(...parts);
      ofAssociations.add(key);
      live.add(key);
      return key;
    };
    Object.assign(provider, { [name]: bounded });
  }
  const { importKey, release } = provider;
  provider.importKey = (bytes) => {
    const key = importKey.call(provider, bytes);
    live.add(key);
    return key;
  };
  provider.release = (key) => {
    release.call(provider, key);
    live.delete(key);
    if (ofAssociations.delete(key)) room.left += 1;
  };
  return room;
}
