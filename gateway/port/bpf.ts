/** A small assembler for classic BPF (the kernel's Documentation/networking/filter.rst): lines in, instructions out. */

/** `[code, k]`, and for a conditional jump the labels to go to; undefined goes to the next line. */
export type Instruction = readonly [code: number, k: number, ifTrue?: string | undefined, ifFalse?: string | undefined];
/** A string names the place of the instruction behind it. */
export type Line = string | Instruction;

/* A is the accumulator, X the index register, M[k] the sixteen words of memory; `Ind` adds X to the offset. */
export const LOAD_WORD_IND = 0x40;
export const LOAD_HALF = 0x28;
export const LOAD_HALF_IND = 0x48;
export const LOAD_BYTE_IND = 0x50;
export const LOAD_VALUE = 0x00;
export const LOAD_MEMORY = 0x60;
export const LOAD_X_VALUE = 0x01;
export const LOAD_X_MEMORY = 0x61;
export const STORE = 0x02;
export const STORE_X = 0x03;
export const ADD = 0x04;
export const ADD_X = 0x0c;
export const SUBTRACT_X = 0x1c;
export const MULTIPLY = 0x24;
export const AND = 0x54;
export const SHIFT_LEFT = 0x64;
export const SHIFT_RIGHT = 0x74;
export const XOR_X = 0xac;
export const A_TO_X = 0x07;
export const X_TO_A = 0x87;
export const JUMP = 0x05;
export const JUMP_EQUAL = 0x15;
export const JUMP_EQUAL_X = 0x1d;
export const JUMP_AT_LEAST = 0x35;
export const JUMP_BITS = 0x45;
export const RETURN_VALUE = 0x06;
export const RETURN_A = 0x16;

/** Offset at which LOAD_HALF gives the EtherType behind the tag that Linux took off (SKF_AD_OFF + SKF_AD_PROTOCOL). */
export const ANCILLARY_PROTOCOL = 0xfffff000;

/**
 * Instructions as `struct sock_filter` has them, 8 bytes each in this machine's byte order (little-endian on x86-64 and
 * arm64). Throws for an unknown label and for a conditional jump of more than 255 lines: both are mistakes in `lines`.
 */
export function assemble(lines: readonly Line[]): Uint8Array {
  const places = new Map<string, number>();
  const instructions: Instruction[] = [];
  for (const line of lines) {
    if (typeof line === 'string') places.set(line, instructions.length);
    else instructions.push(line);
  }
  const distance = (from: number, label: string | undefined): number => {
    if (label === undefined) return 0;
    const to = places.get(label);
    if (to === undefined || to <= from) throw new Error(`BPF: label ${label} does not lie ahead`);
    return to - from - 1;
  };
  const view = new DataView(new ArrayBuffer(instructions.length * 8));
  instructions.forEach(([code, k, ifTrue, ifFalse], i) => {
    const yes = distance(i, ifTrue);
    const no = distance(i, ifFalse);
    if (code !== JUMP && (yes > 255 || no > 255)) throw new Error(`BPF: the jump of instruction ${i} is too far`);
    view.setUint16(i * 8, code, true);
    if (code !== JUMP) {
      view.setUint8(i * 8 + 2, yes);
      view.setUint8(i * 8 + 3, no);
    }
    view.setUint32(i * 8 + 4, code === JUMP ? yes : k, true);
  });
  return new Uint8Array(view.buffer);
}
