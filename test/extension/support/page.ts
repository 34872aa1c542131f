// What a user does in the workbench, on a page of a browser.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Locator, Page } from 'playwright-core';

const screenshots = join(import.meta.dirname, '../../../build/screenshots');

/** The workbench in one page of a browser. */
export class Workbench {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  /** Opens the page and waits until it can be used. */
  async open(url: string): Promise<void> {
    await this.page.goto(url);
    await this.page.locator('.monaco-workbench .part.activitybar').waitFor({ timeout: 60_000 });
    await this.page.locator('.explorer-folders-view .monaco-list-row').first().waitFor({ timeout: 60_000 });
  }

  /** Runs a command from the palette. */
  async runCommand(title: string): Promise<void> {
    await this.#takeFirst('F1', `>${title}`, title);
  }

  /** Opens a file of the workspace by its name. */
  async openFile(name: string): Promise<void> {
    await this.#takeFirst('Control+P', name, name);
    await this.tab(name).waitFor();
  }

  /**
   * Opens a list with a key, types, and takes the first entry. More than once if need be: a palette that was opened before
   * the extension was registered never lists its commands, and a list closes when something else takes the focus.
   */
  async #takeFirst(key: string, typed: string, wanted: string): Promise<void> {
    const input = this.page.locator('.quick-input-widget .quick-input-box input');
    const first = this.page.locator('.quick-input-list .monaco-list-row.focused', { hasText: wanted });
    for (let tries = 0; tries < 15; tries++) {
      await this.page.keyboard.press(key);
      try {
        await input.fill(typed, { timeout: 2000 });
        await first.waitFor({ timeout: 2000 });
      } catch {
        await this.page.keyboard.press('Escape');
        continue;
      }
      await this.page.keyboard.press('Enter');
      return;
    }
    throw new Error(`nothing is listed as ${wanted}`);
  }

  tab(name: string): Locator {
    return this.page.locator('.tabs-container .tab', { hasText: name });
  }

  /** The editor that is in use. */
  get editor(): Locator {
    return this.page
      .locator('.editor-group-container.active .editor-instance, .editor-group-container .editor-instance')
      .last();
  }

  /** Text of the lines that are in sight in the editor with the given title. */
  async editorText(): Promise<string> {
    const lines = await this.page.locator('.editor-group-container.active .view-lines').last().textContent();
    return (lines ?? '').replaceAll('\u00a0', ' ');
  }

  /** Replaces all text of the editor that has the focus, and saves it. */
  async replaceText(text: string): Promise<void> {
    await this.page.keyboard.press('Control+A');
    await this.page.keyboard.insertText(text);
    await this.page.keyboard.press('Control+S');
  }

  /** Shows the views of the extension. */
  async showViews(): Promise<void> {
    const tab = this.page.locator('.activitybar .action-item', { has: this.page.locator('a[aria-label="CWL"]') });
    if (!(await tab.getAttribute('class'))?.includes('checked')) await tab.locator('a').click();
    await this.page.locator('.part.sidebar .pane-header', { hasText: 'Runs' }).waitFor();
  }

  /** A line of the views on the left. */
  line(text: string | RegExp): Locator {
    return this.page.locator('.part.sidebar .pane-body .monaco-list-row', { hasText: text });
  }

  /** Opens a line that has others below it, unless it is open. */
  async expand(text: string | RegExp): Promise<void> {
    const line = this.line(text).first();
    await line.waitFor();
    if ((await line.getAttribute('aria-expanded')) === 'false') await line.click();
  }

  /** Clicks an icon at the end of a line. */
  async clickInline(text: string | RegExp, label: string): Promise<void> {
    const line = this.line(text).first();
    await line.hover();
    await line.locator(`.actions a[aria-label^="${label}"]`).click();
  }

  notification(text: string | RegExp): Locator {
    return this.page.locator('.notifications-toasts .notification-list-item', { hasText: text });
  }

  /** The modal question that is shown. */
  get dialog(): Locator {
    return this.page.locator('.monaco-dialog-box');
  }

  get quickInput(): Locator {
    return this.page.locator('.quick-input-widget');
  }

  /** Takes an entry of the list that is shown. */
  async pick(text: string | RegExp): Promise<void> {
    await this.page.locator('.quick-input-list .monaco-list-row', { hasText: text }).first().click();
  }

  /** Answers the input box with this title or prompt. */
  async answer(question: string | RegExp, text: string): Promise<void> {
    const box = this.quickInput.filter({ hasText: question });
    await box.waitFor({ state: 'visible' });
    await box.locator('.quick-input-box input').fill(text);
    await this.page.keyboard.press('Enter');
  }

  lens(text: string | RegExp): Locator {
    return this.page.locator('.codelens-decoration a', { hasText: text });
  }

  /** A line of the terminal that is shown. */
  terminalLine(text: RegExp): Locator {
    return this.page.locator('.terminal-wrapper.active .xterm-rows > div', { hasText: text }).first();
  }

  /** Types into the terminal that is shown. */
  async typeInTerminal(text: string): Promise<void> {
    await this.page.locator('.terminal-wrapper.active .xterm-helper-textarea').focus();
    await this.page.keyboard.type(text);
  }

  /** Keeps what is seen in `build/screenshots`. */
  async screenshot(name: string): Promise<void> {
    mkdirSync(screenshots, { recursive: true });
    await this.page.screenshot({ path: join(screenshots, `${name}.png`) });
  }
}
