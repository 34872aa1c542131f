// Answers for `Prompts` from a test, and a record of what was asked.
import type { HostKeyQuestion, Prompts, Question } from '#ssh/prompts.ts';

export interface RecordedPrompts extends Prompts {
  hostKeys: HostKeyQuestion[];
  questions: Question[];
}

/** `answer` is called for every question; undefined from it means that the person gives up. */
export function recordPrompts(
  answer: (question: Question, count: number) => string[] | undefined = () => undefined,
  acceptsHostKey = false,
): RecordedPrompts {
  const hostKeys: HostKeyQuestion[] = [];
  const questions: Question[] = [];
  return {
    hostKeys,
    questions,
    async confirmHostKey(question) {
      hostKeys.push(question);
      return acceptsHostKey;
    },
    async ask(question) {
      questions.push(question);
      return answer(question, questions.length);
    },
  };
}
