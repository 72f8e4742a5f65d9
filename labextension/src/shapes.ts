/**
 * Owns the shapes of what the server tells, by the names of its OpenAPI description; knows no URL and no widget.
 */

/** Tasks by state, by the journal's names of states; states without tasks are left out. */
export type Counts = Readonly<Record<string, number>>;

/** Times are in seconds since the epoch. */
export interface Run {
  readonly run: string;
  readonly status: 'running' | 'ended' | 'died' | 'elsewhere' | 'unreadable';
  readonly outcome: string;
  readonly program: string;
  readonly host: string;
  readonly started: number;
  readonly ended: number | null;
  readonly problem: string;
  readonly tasks: Counts;
}

/** What only a live run tells: if all of it is paused, the labels of its executors, its nodes. */
export interface RunDetail {
  readonly isPaused: boolean;
  readonly executors: string;
  readonly nodes: readonly BlockNode[];
}

/** One node of a block, or a block without any: `node` is empty then. `reason` is the queue's, or of its end. */
export interface BlockNode {
  readonly site: string;
  readonly block: string;
  readonly job: string;
  readonly stage: string;
  readonly reason: string;
  readonly node: string;
  readonly slots: number;
  readonly busy: number;
}

/** Blocks at a site and the pilots in them; they may outlive their Jupyter kernel. */
export interface Session {
  readonly name: string;
  readonly site: string;
  readonly notebook: string;
  readonly run: string;
  readonly blocks: number;
  readonly pilots: number;
  /** When they end by themselves (seconds since 1970); null while a kernel uses them. */
  readonly until: number | null;
  readonly state: string;
}

/** Tasks that failed for one reason, and what helps; call, message and traceback are those of the first. */
export interface Cause {
  readonly reason: string;
  readonly error: string;
  readonly message: string;
  readonly place: string;
  readonly apps: readonly string[];
  readonly advice: string;
  readonly count: number;
  readonly tasks: readonly number[];
  readonly call: string;
  readonly blocked: number;
  readonly traceback: string | null;
}

/** What a person starts from who edits a failed task; without a source only its arguments can be edited. */
export interface Draft {
  readonly task: number;
  readonly name: string;
  readonly source: string | null;
  readonly why_not: string;
  readonly arguments: readonly { readonly name: string; readonly text: string; readonly is_literal: boolean }[];
  readonly error: string;
  readonly alike: number;
  readonly blocked: number;
  readonly all_blocked: number;
}

/** A task as a person edited it; only what is changed is there. */
export interface Edit {
  readonly task: number;
  readonly source?: string;
  readonly arguments?: Readonly<Record<string, string>>;
  readonly all_alike: boolean;
}

/** One task, as a table shows it. */
export interface Task {
  readonly task: number;
  readonly call: string;
  readonly state: string;
  readonly seconds: number | null;
  readonly slot: string | null;
  readonly origin: string | null;
}

/** One execution of a notebook's cell: its tasks, and the SHA-256 of the source that ran. */
export interface CellTasks {
  readonly notebook: string | null;
  readonly cell_id: string | null;
  readonly source_hash: string;
  readonly tasks: Counts;
}
