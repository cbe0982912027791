import { expect, test } from 'vitest';
import { announcedSequence, EventReader } from '#keys/events.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

test('events are read across chunks, comments and unknown fields are passed over', () => {
  const reader = new EventReader();
  expect(reader.read(bytes(': hello\n\nevent: bun'))).toEqual([]);
  expect(reader.read(bytes('dle\nid: 7\ndata: {"a":1}\n\ndata: x\r\n\r\n'))).toEqual([
    { event: 'bundle', data: '{"a":1}' },
    { event: 'message', data: 'x' },
  ]);
});

test('an event without an end ends the stream', () => {
  expect(new EventReader().read(bytes('x'.repeat(5000)))).toBeUndefined();
});

test.each([
  ['bundle', '{"incarnation":1,"counter":2}', { incarnation: 1, counter: 2 }],
  ['other', '{"incarnation":1,"counter":2}', undefined],
  ['bundle', '{"incarnation":0,"counter":2}', undefined],
  ['bundle', '{"incarnation":1', undefined],
  ['bundle', 'null', undefined],
])('%s %s', (event, data, sequence) => {
  expect(announcedSequence({ event, data })).toEqual(sequence);
});
