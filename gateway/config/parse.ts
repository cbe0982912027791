/**
 * A configuration file's text → the typed value, or every mistake in it at once. Nothing here reads or changes the
 * system.
 */

import type { z } from 'zod';
import type { PolicyException } from '#keys/ring.ts';
import { parseAddress, parsePrefix } from './address.ts';
import type { GatewayConfig } from './config.ts';
import type { Problem } from './problem.ts';
import { bridgeFile, DEFAULT_MANAGEMENT_NAME, routerFile } from './schema.ts';
import type { Text } from './text.ts';
import { contradictions } from './together.ts';
import { EMPTY, fieldPath, NOT_FIELDS, TOO_LONG, unknownField, valueAt, wordsFor } from './words.ts';
import { readYaml } from './yaml.ts';

/** Characters of a configuration file. The largest sensible one, all exceptions with comments, has a third of this. */
export const MAX_CONFIG_LENGTH = 65_536;

export type ParsedConfig = { readonly config: GatewayConfig } | { readonly problems: readonly Problem[] };

type Issue = z.core.$ZodIssue;
type BridgeFile = z.output<typeof bridgeFile>;
type RouterFile = z.output<typeof routerFile>;

/** Pure. `fileName` is only for the problems. */
export function parseConfig(text: string, fileName: string): ParsedConfig {
  const whole = (message: Text, line = 1, column = 1): ParsedConfig => ({
    problems: [{ file: fileName, line, column, field: '', message }],
  });
  if (text.length > MAX_CONFIG_LENGTH) return whole(TOO_LONG, 0, 0);
  const reading = readYaml(text);
  if ('misreadings' in reading) {
    return {
      problems: reading.misreadings.map(({ line, column, text: message }) => ({
        file: fileName,
        line,
        column,
        field: '',
        message,
      })),
    };
  }
  const { values, place } = reading;
  if (values === null) return whole(EMPTY);
  if (typeof values !== 'object' || Array.isArray(values)) return whole(NOT_FIELDS, ...coordinates(place([])));

  const found: Problem[] = [];
  const add = (path: readonly PropertyKey[], message: Text, key?: string): void => {
    const { line, column } = place(path, key);
    const field = fieldPath(key === undefined ? path : [...path, key]);
    found.push({ file: fileName, line, column, field, message });
  };
  const { file, issues } = check(values);
  for (const issue of issues) {
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) add(issue.path, unknownField(key, issue.path, values), key);
    } else {
      add(issue.path, wordsFor(issue, valueAt(values, issue.path)));
    }
  }
  for (const { path, text: message } of contradictions(values, DEFAULT_MANAGEMENT_NAME)) add(path, message);
  if (file !== undefined && found.length === 0) return { config: configOf(file) };
  return { problems: found.sort((a, b) => a.line - b.line || a.column - b.column) };
}

const coordinates = (place: { line: number; column: number }): [number, number] => [place.line, place.column];

/** Checks by the schema that the file's own `kind` chooses; without a valid one, every field of any kind is known. */
function check(values: object): { readonly file?: BridgeFile | RouterFile; readonly issues: readonly Issue[] } {
  const { kind } = values as { kind?: unknown };
  const result =
    kind === 'router'
      ? routerFile.safeParse(values)
      : kind === 'bridge'
        ? bridgeFile.safeParse(values)
        : { success: false as const, error: bridgeFile.partial({ inner: true }).safeParse(values).error };
  return result.success ? { file: result.data, issues: [] } : { issues: result.error?.issues ?? [] };
}

function configOf(file: BridgeFile | RouterFile): GatewayConfig {
  const { outer, workers, port, cipher, withoutKeys, nonIp, language } = file;
  const exceptions = file.exceptions.map(exceptionOf);
  const base = { outer, workers, port, cipher, withoutKeys, nonIp, exceptions, language };
  return file.kind === 'router'
    ? { kind: 'router', ...base }
    : { kind: 'bridge', inner: file.inner, management: file.management, ...base };
}

/** One address is the prefix of full length; text in canonical form. */
function exceptionOf({ address, protocol, port, direction }: RouterFile['exceptions'][number]): PolicyException {
  const single = parseAddress(address);
  const prefix = parsePrefix(address);
  return {
    address: single ? `${single.text}/${single.version === 4 ? 32 : 128}` : `${prefix?.network}/${prefix?.length}`,
    direction,
    ...(protocol === undefined ? {} : { protocol }),
    ...(port === undefined ? {} : { port }),
  };
}
