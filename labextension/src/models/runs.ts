/**
 * Owns the list of runs as the server last told it: one book for the panel, the status bar and the notifications.
 */

import { Poll } from '@lumino/polling';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { Api } from '../api';
import type { News } from './news';
import { newsOf } from './news';
import type { Run } from './run';
import { isLive } from './run';

const MOST_SECONDS = 60;

/** Follows the runs of this server. Dispose of it when nobody looks any more. */
export class RunsModel {
  private runs: readonly Run[] = [];
  private trouble = '';
  private isFirstLook = true;
  private readonly poll: Poll;
  private readonly unfollow: () => void;
  private readonly changedSignal = new Signal<this, undefined>(this);
  private readonly newsSignal = new Signal<this, News>(this);

  constructor(private readonly api: Api) {
    this.poll = new Poll({
      name: 'nbflow:runs',
      factory: () => this.look(),
      frequency: { interval: 5000, backoff: true, max: MOST_SECONDS * 1000 },
      standby: 'when-hidden'
    });
    this.unfollow = api.follow(() => void this.refresh());
  }

  /** Emitted when a look brought something new, or trouble. */
  get changed(): ISignal<this, undefined> {
    return this.changedSignal;
  }

  /** Emitted for each thing that is worth telling a person. */
  get news(): ISignal<this, News> {
    return this.newsSignal;
  }

  /** The runs, newest first. */
  get all(): readonly Run[] {
    return this.runs;
  }

  get live(): readonly Run[] {
    return this.runs.filter(isLive);
  }

  /** Why the server does not tell; empty when it does. */
  get problem(): string {
    return this.trouble;
  }

  /** Tells whether nothing has been heard yet. */
  get isWaiting(): boolean {
    return this.isFirstLook;
  }

  find(id: string): Run | undefined {
    return this.runs.find(run => run.id === id);
  }

  /** Looks now. */
  async refresh(): Promise<void> {
    await this.poll.refresh();
    await this.poll.tick.catch(() => undefined); // told as `problem`
  }

  /** Sets how often to look when nothing tells of a change. */
  setPeriod(seconds: number): void {
    this.poll.frequency = { ...this.poll.frequency, interval: seconds * 1000 };
  }

  dispose(): void {
    this.unfollow();
    this.poll.dispose();
    Signal.clearData(this);
  }

  private async look(): Promise<void> {
    try {
      const runs = await this.api.runs();
      const before = this.runs;
      this.take(runs);
      for (const run of runs) {
        for (const news of newsOf(before.find(known => known.id === run.id), run)) {
          this.newsSignal.emit(news);
        }
      }
    } catch (error) {
      this.trouble = error instanceof Error ? error.message : String(error);
      this.isFirstLook = false;
      this.changedSignal.emit(undefined);
      throw error; // so that the poll backs off
    }
  }

  private take(runs: readonly Run[]): void {
    const isSame = !this.isFirstLook && this.trouble === '' && JSON.stringify(runs) === JSON.stringify(this.runs);
    this.runs = runs;
    this.trouble = '';
    this.isFirstLook = false;
    if (!isSame) {
      this.changedSignal.emit(undefined);
    }
  }
}
