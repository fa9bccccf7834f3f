import type { Browser, CDPSession } from 'playwright-core';

/**
 * A tab that another one hides. Pages of playwright always count as seen; this one it does not know.
 */
export class HideableTab {
  readonly #browser: CDPSession;
  readonly #targetId: string;
  readonly #sessionId: string;
  readonly #waiting = new Map<number, (value: unknown) => void>();
  #lastId = 0;

  static async open(browser: Browser, address: string): Promise<HideableTab> {
    const session = await browser.newBrowserCDPSession();
    const { targetId } = await session.send('Target.createTarget', { url: address });
    const { sessionId } = await session.send('Target.attachToTarget', { targetId });
    return new HideableTab(session, { targetId, sessionId });
  }

  private constructor(browser: CDPSession, ids: { targetId: string; sessionId: string }) {
    this.#browser = browser;
    this.#targetId = ids.targetId;
    this.#sessionId = ids.sessionId;
    browser.on('Target.receivedMessageFromTarget', ({ sessionId, message }) => {
      const { id, result } = JSON.parse(message);
      if (sessionId !== this.#sessionId || id === undefined) return;
      this.#waiting.get(id)?.(result?.result?.value);
      this.#waiting.delete(id);
    });
  }

  /** What an expression is there, as if a tap had asked for it. */
  evaluate(expression: string): Promise<unknown> {
    this.#lastId += 1;
    const id = this.#lastId;
    const params = { expression, returnByValue: true, awaitPromise: true, userGesture: true };
    const message = JSON.stringify({ id, method: 'Runtime.evaluate', params });
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      void this.#browser.send('Target.sendMessageToTarget', {
        sessionId: this.#sessionId,
        message,
      });
    });
  }

  async hide(): Promise<void> {
    const { targetId } = await this.#browser.send('Target.createTarget', { url: 'about:blank' });
    await this.#browser.send('Target.activateTarget', { targetId });
  }

  async close(): Promise<void> {
    await this.#browser.send('Target.closeTarget', { targetId: this.#targetId });
  }
}
