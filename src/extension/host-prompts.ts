import * as vscode from 'vscode';
import type { HostKeyQuestion, Prompts, Question } from '#remote/prompts.ts';
import type { Secrets } from './secrets.ts';

/** Asks the user what only they can answer on the way into a host. Secrets are kept only where they ask for it. */
export class HostPrompts implements Prompts {
  readonly #secrets: Secrets;
  readonly #cluster: string;

  constructor(secrets: Secrets, cluster: string) {
    this.#secrets = secrets;
    this.#cluster = cluster;
  }

  async confirmHostKey(question: HostKeyQuestion): Promise<boolean> {
    const detail = [
      `${question.keyType} ${question.fingerprint}`,
      ...question.notes,
      question.file === undefined
        ? 'It would be trusted for this connection alone.'
        : `It would be kept in ${question.file}.`,
      'Compare the fingerprint with what the administrators of the cluster publish.',
    ].join('\n\n');
    const message = `The host key of ${question.host} is not known. Connect?`;
    const chosen = await vscode.window.showWarningMessage(message, { modal: true, detail }, 'Trust and Connect');
    return chosen !== undefined;
  }

  async ask(question: Question): Promise<string[] | undefined> {
    // A one-time code is of no use a second time.
    const slot = question.kind === 'keyboard-interactive' ? undefined : secretSlot(this.#cluster, question);
    if (slot !== undefined) {
      const kept = await this.#secrets.find(slot);
      if (kept !== undefined && question.attempt === 1) return [kept];
      if (kept !== undefined) await this.#secrets.forget(slot);
    }
    const answers: string[] = [];
    for (const [index, field] of question.fields.entries()) {
      const answer = await this.#askField(question, index, field, slot);
      if (answer === undefined) return undefined;
      answers.push(answer);
    }
    return answers;
  }

  #askField(
    question: Question,
    index: number,
    field: Question['fields'][number],
    slot: string | undefined,
  ): Promise<string | undefined> {
    const box = vscode.window.createInputBox();
    box.title = question.title;
    box.prompt = [question.attempt > 1 ? 'That was wrong.' : '', question.instruction, field.text]
      .filter(Boolean)
      .join(' ');
    box.password = !field.echo;
    // Codes are looked up in other windows.
    box.ignoreFocusOut = true;
    if (question.fields.length > 1) [box.step, box.totalSteps] = [index + 1, question.fields.length];
    let isKept = false;
    const showButton = () => {
      if (slot === undefined) return;
      const tooltip = isKept ? 'It will be kept in the secret storage; click not to' : 'Keep it in the secret storage';
      box.buttons = [{ iconPath: new vscode.ThemeIcon(isKept ? 'check' : 'save'), tooltip }];
    };
    showButton();
    return new Promise(resolve => {
      box.onDidTriggerButton(() => {
        isKept = !isKept;
        showButton();
      });
      box.onDidAccept(async () => {
        const { value } = box;
        resolve(value);
        box.hide();
        if (isKept && slot !== undefined) await this.#secrets.keep(slot, value);
      });
      box.onDidHide(() => {
        resolve(undefined);
        box.dispose();
      });
      box.show();
    });
  }
}

/** What the slots of a cluster's secrets begin with. */
export function secretPrefix(cluster: string): string {
  return `${cluster}\n`;
}

function secretSlot(cluster: string, question: Question): string {
  return `${secretPrefix(cluster)}${question.kind}\n${question.title}`;
}
