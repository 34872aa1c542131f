/** The questions that only a person can answer while a cluster is being connected to. */
export { type HostKeyQuestion, noPrompts, type Prompts, type Question } from '#ssh/prompts.ts';
