/** Reads a configuration file: bounded, UTF-8, never a device or a pipe. */
import { isUtf8 } from 'node:buffer';
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { MAX_CONFIG_LENGTH, type ParsedConfig, parseConfig } from './parse.ts';
import type { Text } from './text.ts';
import { TOO_LONG } from './words.ts';

/** The parsed file with its text, or its problems. A file that cannot be read is a problem with line 0. */
export function loadConfig(path: string): ParsedConfig & { readonly text?: string } {
  const problem = (message: Text, line = 0): ParsedConfig => ({
    problems: [{ file: path, line, column: line === 0 ? 0 : 1, field: '', message }],
  });
  const read = readBounded(path, MAX_CONFIG_LENGTH * 4);
  if ('message' in read) return problem(read.message);
  if (!isUtf8(read.bytes)) return problem(NOT_UTF8, lineOfBadByte(read.bytes));
  const text = read.bytes.toString('utf8');
  return { ...parseConfig(text, path), text };
}

const NOT_UTF8: Text = {
  en: 'the text is not UTF-8; save the file as UTF-8',
  ja: '文字コードがUTF-8ではありません。UTF-8で保存してください',
};
const NOT_A_FILE: Text = { en: 'is not a file', ja: 'ファイルではありません' };
const REASONS: Readonly<Record<string, Text>> = {
  ENOENT: { en: 'there is no such file', ja: 'ファイルが見つかりません' },
  EACCES: {
    en: 'you may not read this file; try as root',
    ja: 'このファイルを読む権限がありません。rootで実行してください',
  },
  EISDIR: NOT_A_FILE,
};

function readBounded(path: string, most: number): { readonly bytes: Buffer } | { readonly message: Text } {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const status = fstatSync(fd);
      if (!status.isFile()) return { message: NOT_A_FILE };
      if (status.size > most) return { message: TOO_LONG };
      const bytes = Buffer.alloc(status.size);
      let length = 0;
      for (let n = -1; n !== 0 && length < bytes.length; length += n)
        n = readSync(fd, bytes, length, bytes.length - length, null);
      return { bytes: bytes.subarray(0, length) };
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    return { message: REASONS[code] ?? { en: `cannot be read (${code})`, ja: `読み込めません(${code})` } };
  }
}

/** UTF-8 keeps the newline byte for itself, so lines can be judged one by one. */
function lineOfBadByte(bytes: Buffer): number {
  let line = 1;
  for (let start = 0; start < bytes.length; line++) {
    const end = bytes.indexOf(0x0a, start);
    if (!isUtf8(bytes.subarray(start, end < 0 ? bytes.length : end))) return line;
    if (end < 0) break;
    start = end + 1;
  }
  return line;
}
