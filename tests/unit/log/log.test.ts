import { expect, test } from 'vitest';
import { createLog } from '../../../gateway/log.ts';

function logged(options: { json: boolean; level?: 'debug' | 'info' }) {
  const lines: string[] = [];
  return { log: createLog({ ...options, sink: { write: (line) => lines.push(line) } }), lines };
}

test('for machines every line is one JSON object with time, level and message', () => {
  const { log, lines } = logged({ json: true });
  log.warn({ address: '192.0.2.9', tries: 3 }, 'the GMS does not answer');
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0]!)).toEqual({
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    level: 'warn',
    address: '192.0.2.9',
    tries: 3,
    msg: 'the GMS does not answer',
  });
});

test('for a person the line is short, and a detail cannot break it', () => {
  const { log, lines } = logged({ json: false });
  log.info({ port: 'eth0', why: 'a b\n\u001b[2J', groups: [1, 2] }, 'port is up');
  expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d info {2}port is up port=eth0 why="a b\\n\\u001b\[2J" groups=1,2\n$/);
});

test('details of level debug only when asked; an error is its code and message, with the stack at debug only', () => {
  const error = Object.assign(new Error('no such device'), { code: 'ENODEV' });
  const usual = logged({ json: true });
  usual.log.debug({}, 'nothing');
  usual.log.error({ error }, 'the port failed');
  expect(usual.lines.map((line) => JSON.parse(line).error)).toEqual(['ENODEV: no such device']);
  const detailed = logged({ json: true, level: 'debug' });
  detailed.log.error({ error }, 'the port failed');
  expect(JSON.parse(detailed.lines[0]!).error).toContain('log.test.ts');
});
