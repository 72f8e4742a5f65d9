/**
 * Owns the list of runs as the server last told it: one book for the panel, the status bar and the notifications.
 */

import { Poll } from '@lumino/polling';
import type { ISignal } from '@lumino/signaling';
import { Signal } from '@lumino/signaling';

import type { Api, Chosen } from '../api';
import type { Edit, Run, RunDetail, Session } from '../shapes';
import type { News } from './news';
import { newsOf } from './news';
import { isLive } from './run';
import { told } from './trouble';

const MOST_SECONDS = 60;
const MOST_ASKED = 10;

/** Follows the runs of this server. Dispose of it when nobody looks any more. */
export class RunsModel {
  private runs: readonly Run[] = [];
  private details: ReadonlyMap<string, RunDetail> = new Map();
  private pilots: readonly Session[] = [];
  private trouble = '';
  private seen = '';
  private isFirstLook = true;
  private looks = 0;
  private lastTaken = 0;
  private isStale = false;
  private readonly poll: Poll;
  private readonly unfollow: () => void;
  private readonly changedSignal = new Signal<this, undefined>(this);
  private readonly newsSignal = new Signal<this, News>(this);

  constructor(private readonly api: Api) {
    this.poll = new Poll({
      name: 'nbflow:runs',
      factory: () => this.lookUntilFresh(),
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
    return this.runs.find(run => run.run === id);
  }

  /** The newest run of a notebook, by its path on this server; undefined when it had none. */
  ofNotebook(path: string): Run | undefined {
    return this.runs.find(({ program }) => program === path || program.endsWith(`/${path}`));
  }

  /** The pilots at sites. */
  get sessions(): readonly Session[] {
    return this.pilots;
  }

  /** What a live run told of itself; undefined for others. */
  detail(id: string): RunDetail | undefined {
    return this.details.get(id);
  }

  /** Looks now; and once more after a look that is under way, which may have asked too early to see it all. */
  async refresh(): Promise<void> {
    this.isStale = true;
    await this.poll.refresh();
    await this.poll.tick.catch(() => undefined); // told as `problem`
  }

  /** Has a live run do a command and looks what came of it; rejects with what the run says when it refuses. */
  async command(run: Run, command: string, given?: Chosen | Edit): Promise<void> {
    await this.api.command(run.run, command, given);
    await this.refresh();
  }

  /** The names of the sites that pilots can be asked for at. */
  sites(): Promise<string[]> {
    return this.api.sites();
  }

  /** Asks for pilots before a notebook has a kernel, and looks; rejects with why there are none. */
  async startSession(site: string, notebook: string): Promise<void> {
    await this.api.startSession(site, notebook);
    await this.refresh();
  }

  /** Ends pilots that no kernel uses, and looks what is left; rejects with why they are not ended. */
  async stopSession(session: Session): Promise<void> {
    await this.api.stopSession(session.name);
    await this.refresh();
  }

  /** Emits `changed` though nothing did: those who show runs have other settings. */
  repeat(): void {
    this.changedSignal.emit(undefined);
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

  private async lookUntilFresh(): Promise<void> {
    do {
      this.isStale = false;
      await this.look();
    } while (this.isStale);
  }

  private async look(): Promise<void> {
    const look = ++this.looks;
    try {
      const runs = await this.api.runs();
      const [details, sessions] = await Promise.all([
        this.askLive(runs),
        this.api.sessions().catch(() => this.pilots) // a site in trouble must not hide the runs
      ]);
      if (look < this.lastTaken) {
        return; // a later look was answered sooner
      }
      this.lastTaken = look;
      const before = this.runs;
      this.take(runs, details, sessions);
      for (const run of runs) {
        for (const news of newsOf(before.find(known => known.run === run.run), run)) {
          this.newsSignal.emit(news);
        }
      }
    } catch (error) {
      this.trouble = told(error);
      this.isFirstLook = false;
      this.changedSignal.emit(undefined);
      throw error; // so that the poll backs off
    }
  }

  /** Asks the live runs; one that does not answer, because it has just ended say, must not hide the others. */
  private async askLive(runs: readonly Run[]): Promise<Map<string, RunDetail>> {
    const asked = runs.filter(isLive).slice(0, MOST_ASKED).map(async ({ run }) => [run, await this.api.detail(run)] as const);
    const told = await Promise.allSettled(asked);
    return new Map(told.flatMap(answer => (answer.status === 'fulfilled' ? [answer.value] : [])));
  }

  private take(runs: readonly Run[], details: Map<string, RunDetail>, sessions: readonly Session[]): void {
    const seen = JSON.stringify([runs, [...details], sessions]);
    const isSame = this.trouble === '' && seen === this.seen;
    this.seen = seen;
    this.runs = runs;
    this.details = details;
    this.pilots = sessions;
    this.trouble = '';
    this.isFirstLook = false;
    if (!isSame) {
      this.changedSignal.emit(undefined);
    }
  }
}
