/** Owns the way back in time: a slider over a run's life, and a button that plays it. */

import { button, element } from './dom.js';
import { inWords } from './duration.js';

const STEPS = 1000;
const PLAY_MILLISECONDS = 12_000; // for the whole of a run, however long it was
const PAUSE_MILLISECONDS = 90;

export class Scrubber {
  /** `view` has `store` and `link`. */
  constructor(view) {
    this.view = view;
    this.isPlaying = false;
    this.wanted = null; // the moment to ask for next, in seconds; at most one question is under way
    this.isAsking = false;
    this.opener = button('nbflow-tool', '◷', 'Replay the run', () => this.toggle());
    this.opener.setAttribute('aria-pressed', 'false');
    this.player = button('nbflow-tool', '▶', 'Play', () => this.play(!this.isPlaying));
    this.slider = element('input', 'nbflow-slider');
    Object.assign(this.slider, { type: 'range', min: 0, max: STEPS, value: STEPS });
    this.slider.setAttribute('aria-label', 'Moment of the run');
    this.slider.addEventListener('input', () => {
      this.play(false);
      this.ask((this.slider.value / STEPS) * this.whole);
    });
    this.slider.addEventListener('keydown', event => event.stopPropagation());
    this.moment = element('span', 'nbflow-muted nbflow-moment');
    const back = button('nbflow-tool', '✕', 'Back to now', () => this.toggle());
    this.root = element('div', 'nbflow-scrubber', this.player, this.slider, this.moment, back);
    this.root.hidden = true;
    this.whole = 0;
  }

  /** Goes to the run's start, or back to now. */
  toggle() {
    this.root.hidden = !this.root.hidden;
    this.opener.setAttribute('aria-pressed', String(!this.root.hidden));
    this.play(false);
    this.wanted = null;
    this.view.link.post({ kind: 'past', seconds: this.root.hidden ? null : 0 });
    this.isAsking = !this.root.hidden;
  }

  play(isPlaying) {
    this.isPlaying = isPlaying;
    this.player.textContent = isPlaying ? '‖' : '▶';
    this.player.title = isPlaying ? 'Pause' : 'Play';
    this.player.setAttribute('aria-label', this.player.title);
    if (isPlaying) {
      const { past } = this.view.store;
      const start = past && past.seconds < past.of ? past.seconds : 0;
      this.since = { time: performance.now(), start };
      this.step();
    }
  }

  step() {
    const { time, start } = this.since;
    this.ask(Math.min(this.whole, start + (this.whole * (performance.now() - time)) / PLAY_MILLISECONDS));
  }

  ask(seconds) {
    if (this.isAsking) {
      this.wanted = seconds;
      return;
    }
    this.isAsking = true;
    this.view.link.post({ kind: 'past', seconds });
  }

  /** Takes over what the store has learnt: the moment that was asked for, or that there is none any more. */
  update() {
    const { past } = this.view.store;
    if (!past || this.root.hidden) {
      return;
    }
    this.isAsking = false;
    this.whole = past.of;
    this.slider.value = String(past.of ? Math.round((STEPS * past.seconds) / past.of) : STEPS);
    this.moment.textContent = `${inWords(past.seconds)} of ${inWords(past.of)}`;
    if (this.wanted !== null) {
      this.ask(this.wanted);
      this.wanted = null;
    } else if (this.isPlaying && past.seconds < past.of) {
      this.pause = setTimeout(() => this.isPlaying && this.step(), PAUSE_MILLISECONDS);
    } else if (this.isPlaying) {
      this.play(false);
    }
  }

  close() {
    this.isPlaying = false;
    clearTimeout(this.pause);
  }
}
