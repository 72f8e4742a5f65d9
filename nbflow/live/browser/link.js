/** Owns the talk of a view with its kernel: questions are sent, a silence is told, an end is noticed. */

import { watchKernel } from './kernel.js';

const PATIENCE_MILLISECONDS = 5000;

export class Link {
  /** `onSilence` is called when a question has had no answer for a while, `onLost` once no kernel is left. */
  constructor(model, { onSilence, onLost }) {
    this.model = model;
    this.onSilence = onSilence;
    this.onLost = onLost;
    this.unwatch = watchKernel(model, onLost);
  }

  /** Asks the kernel for an answer. */
  send(question) {
    if (this.post(question)) {
      clearTimeout(this.patience);
      this.patience = setTimeout(this.onSilence, PATIENCE_MILLISECONDS);
    }
  }

  /** Sends a message to the kernel; false when there is no way to it any more. */
  post(message) {
    try {
      this.model.send(message);
      return true;
    } catch {
      this.onLost();
      return false;
    }
  }

  /** Notes that the kernel has answered. */
  heard() {
    clearTimeout(this.patience);
  }

  close() {
    this.unwatch();
    this.heard();
  }
}
