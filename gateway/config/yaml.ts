/**
 * YAML text ⇄ plain values with the places they came from. The file is YAML 1.2 with nothing that hides where a value
 * comes from: no anchors, aliases or tags (so no alias bomb either), one document, no repeated key.
 */
import { type Document, isMap, isNode, isScalar, LineCounter, type ParsedNode, parseDocument, visit } from 'yaml';
import type { Text } from './text.ts';

export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface Misreading extends Place {
  readonly text: Text;
}

export interface Reading {
  readonly values: unknown;
  /**
   * Where the value of `path` stands; `key` asks for the name of a field in it instead. The nearest parent's place when
   * there is none.
   */
  place(path: readonly PropertyKey[], key?: string): Place;
}

/** Mistakes of form that are told at most: behind the first few, most follow from the earlier ones. */
const MOST_MISREADINGS = 5;

const WORDS: Readonly<Record<string, Text>> = {
  TAB_AS_INDENT: {
    en: 'a tab indents this line; indent with spaces',
    ja: 'タブで字下げされています。半角スペースで字下げしてください',
  },
  DUPLICATE_KEY: {
    en: 'this field is given twice; keep one',
    ja: '同じ項目が2回指定されています。1つだけ残してください',
  },
  MULTIPLE_DOCS: {
    en: 'a second document begins here ("---"); the file holds one',
    ja: 'ここから2つ目の文書(「---」)が始まっています。1つのファイルには1つの文書だけを書いてください',
  },
  RESOURCE_EXHAUSTION: { en: 'the values are nested too deeply', ja: '値の入れ子が深すぎます' },
  BAD_INDENT: {
    en: 'the indentation does not fit the lines above, or a bracket is not closed',
    ja: '字下げが上の行と合っていないか、かっこが閉じられていません',
  },
  MISSING_CHAR: {
    en: 'a closing quote, a bracket or a ":" is missing',
    ja: '閉じる引用符、かっこ、または「:」がありません',
  },
  BLOCK_AS_IMPLICIT_KEY: {
    en: 'a second ":" stands on this line; put the value in quotes or on a line of its own',
    ja: '1行に「:」が2つあります。値を引用符で囲むか、別の行に書いてください',
  },
  BAD_SCALAR_START: {
    en: 'a value cannot begin with this character; put it in quotes',
    ja: 'この文字で値を始めることはできません。引用符で囲んでください',
  },
};
const OTHERWISE: Text = {
  en: 'this is not valid YAML; each line is "field: value", indented with spaces',
  ja: 'YAMLとして正しくありません。各行を「項目: 値」の形で書き、半角スペースで字下げしてください',
};
const INDIRECT: Text = {
  en: 'anchors (&), aliases (*) and tags (!) are not used in this file; write the value itself, in quotes if it begins with such a character',
  ja: 'アンカー(&)、エイリアス(*)、タグ(!)は使えません。値をそのまま書いてください(これらの文字で始まる値は引用符で囲みます)',
};

/** Reads one document; an empty one has the value `null`. */
export function readYaml(text: string): Reading | { readonly misreadings: readonly Misreading[] } {
  const lines = new LineCounter();
  const at = (offset: number): Place => {
    const { line, col } = lines.linePos(Math.max(0, Math.min(offset, text.length)));
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  const document = parseDocument(text, { lineCounter: lines, schema: 'core', prettyErrors: false, merge: false });
  const misreadings: Misreading[] = document.errors.map((error) => ({
    ...at(error.pos[0]),
    text: WORDS[error.code] ?? OTHERWISE,
  }));
  if (misreadings.length === 0)
    misreadings.push(...indirections(document).map((offset) => ({ ...at(offset), text: INDIRECT })));
  if (misreadings.length > 0) return { misreadings: misreadings.slice(0, MOST_MISREADINGS) };
  return { values: document.toJS(), place: (path, key) => at(offsetOf(document, path, key)) };
}

/** Offsets of all nodes that are not what they look like. */
function indirections(document: Document.Parsed): number[] {
  const offsets: number[] = [];
  visit(document, {
    Node(_, node) {
      const indirect = node.constructor.name === 'Alias' || ('anchor' in node && node.anchor !== undefined);
      if (indirect || node.tag !== undefined) offsets.push(node.range?.[0] ?? 0);
    },
  });
  return offsets;
}

function offsetOf(document: Document.Parsed, path: readonly PropertyKey[], key?: string): number {
  let node: unknown = document.contents;
  let offset = (document.contents as ParsedNode | null)?.range[0] ?? 0;
  for (const [depth, part] of [...path, ...(key === undefined ? [] : [key])].entries()) {
    if (isMap(node)) {
      const pair = node.items.find(
        (item) => (isScalar(item.key) ? String(item.key.value) : String(item.key)) === String(part),
      );
      if (pair === undefined) return offset;
      /* The name's place serves for a value that is empty, and for whoever asks for the name. */
      const asked =
        key !== undefined && depth === path.length ? pair.key : emptyScalar(pair.value) ? pair.key : pair.value;
      offset = isNode(asked) && asked.range ? asked.range[0] : offset;
      node = pair.value;
    } else if (typeof part === 'number' && isNode(node) && 'items' in node) {
      node = (node.items as unknown[])[part];
      offset = isNode(node) && node.range ? node.range[0] : offset;
    } else {
      return offset;
    }
  }
  return offset;
}

const emptyScalar = (node: unknown): boolean =>
  node === null || (isScalar(node) && node.value === null && !node.source);
