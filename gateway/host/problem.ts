/** What goes wrong with the machine, in both languages: what a person needs to put it right. */
import { type Text, textOf } from '#config/text.ts';

/** The configuration's field, what is wrong, what to do. */
export interface Problem {
  readonly field: string;
  readonly problem: Text;
  readonly fix: Text;
}

/** All problems at once; `text` is what the command line shows, a line for each. */
export class HostError extends Error {
  readonly problems: readonly Problem[];
  readonly text: Text;

  constructor(problems: readonly Problem[], cause?: unknown) {
    const text: Text = {
      en: problems.map((p) => `${p.field}: ${p.problem.en}; ${p.fix.en}`).join('\n'),
      ja: problems.map((p) => `${p.field}: ${p.problem.ja}。${p.fix.ja}`).join('\n'),
    };
    super(text.en, { cause });
    this.name = 'HostError';
    this.problems = problems;
    this.text = text;
  }
}

/** Something that failed on the way; `blame` says which field it concerns and what to do. */
export class HostFault extends Error {
  readonly text: Text;

  constructor(text: Text) {
    super(text.en);
    this.name = 'HostFault';
    this.text = text;
  }
}

/** A program ended badly. Its own words stay as they are. */
export class CommandError extends HostFault {
  constructor(command: string, args: readonly string[], stderr: string) {
    const line = [command, ...args].join(' ');
    const words = stderr.trim();
    super({
      en: `${line}: ${words || 'failed'}`,
      ja: `「${line}」に失敗しました${words && ` (${words})`}`,
    });
    this.name = 'CommandError';
  }
}

/** Does `work`; what goes wrong is told with the configuration's field and what a person can do about it. */
export async function blame<T>(field: string, fix: Text, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof HostError) throw error;
    throw new HostError([{ field, problem: wordsOf(error), fix }], error);
  }
}

/** An error without words of its own is the kernel's or a library's: its message, as it is, in both languages. */
export function wordsOf(error: unknown): Text {
  const message = error instanceof Error ? error.message : String(error);
  return textOf(error) ?? { en: message, ja: message };
}
