-- The journal of one run of nbflow. Times are seconds since the epoch. `seq` is one increasing number over tasks
-- and events: submitting a task is its first event. For queries by hand there are the views at the end.

CREATE TABLE info (key TEXT PRIMARY KEY, value TEXT NOT NULL);  -- value: JSON

CREATE TABLE states (state INTEGER PRIMARY KEY, name TEXT NOT NULL, is_final INTEGER NOT NULL);

CREATE TABLE apps (
  app INTEGER PRIMARY KEY, name TEXT, kind TEXT, module TEXT, source TEXT, line INTEGER
);

CREATE TABLE tasks (
  task INTEGER PRIMARY KEY, seq INTEGER, time REAL, app INTEGER, label TEXT,
  call TEXT, state INTEGER, spawner INTEGER, origin TEXT
);
CREATE INDEX tasks_by_seq ON tasks (seq);

-- Notebook cells that were run; tasks name theirs by its origin, such as `In [3]`.
CREATE TABLE cells (
  origin TEXT PRIMARY KEY, notebook TEXT, cell_id TEXT, execution_count INTEGER, source_hash TEXT
);

CREATE TABLE edges (parent INTEGER, child INTEGER, kind INTEGER);

-- Files that tasks were given to read, or promised to write.
CREATE TABLE files (task INTEGER, path TEXT, is_written INTEGER);

CREATE TABLE events (
  seq INTEGER PRIMARY KEY, time REAL, task INTEGER, try_id INTEGER, event TEXT, state INTEGER,
  detail TEXT  -- JSON
);
CREATE INDEX events_by_task ON events (task);

CREATE TABLE outputs (
  task INTEGER, try_id INTEGER, stream TEXT, text TEXT, nbytes INTEGER, PRIMARY KEY (task, try_id, stream)
);

-- What tries used that were not too short to be measured: `nbytes` is the most memory that was held.
CREATE TABLE usage (task INTEGER, try_id INTEGER, cpu_seconds REAL, nbytes INTEGER, PRIMARY KEY (task, try_id));

-- Where every task stands: `started` and `seconds` are those of its current try.
CREATE VIEW task_states AS
SELECT
  tasks.task,
  apps.name AS app,
  tasks.label,
  tasks.call,
  states.name AS state,
  coalesce(last.try_id, 1) AS try_id,
  tasks.time AS submitted,
  sent.time AS started,
  CASE WHEN states.is_final THEN coalesce(last.time, tasks.time) END AS finished,
  json_extract(ended.detail, '$.seconds') AS seconds,
  json_extract(sent.detail, '$.slot') AS slot,
  json_extract(failed.detail, '$.error') AS error,
  json_extract(failed.detail, '$.message') AS message,
  json_extract(failed.detail, '$.root') AS root,
  tasks.origin,
  tasks.spawner,
  cells.notebook,
  cells.cell_id,
  cells.execution_count,
  cells.source_hash
FROM tasks
LEFT JOIN apps ON apps.app = tasks.app
LEFT JOIN cells ON cells.origin = tasks.origin
LEFT JOIN events AS last ON last.seq = (SELECT max(seq) FROM events WHERE task = tasks.task)
LEFT JOIN states ON states.state = coalesce(last.state, tasks.state)
LEFT JOIN events AS sent ON sent.seq = (
  SELECT max(seq) FROM events WHERE task = tasks.task AND try_id = last.try_id AND event = 'Dispatched'
)
LEFT JOIN events AS ended ON ended.seq = (
  SELECT max(seq) FROM events
  WHERE task = tasks.task AND try_id = last.try_id AND event IN ('Returned', 'Spawned', 'TryFailed')
)
LEFT JOIN events AS failed ON failed.seq = (
  SELECT max(seq) FROM events
  WHERE task = tasks.task AND event IN ('TryFailed', 'StagingFailed', 'DepFailed', 'Undone') AND states.name <> 'DONE'
);

-- Everything that happened, in order.
CREATE VIEW stream AS
SELECT seq, time, task, 1 AS try_id, 'Submitted' AS event, state, NULL AS detail FROM tasks
UNION ALL
SELECT seq, time, task, try_id, event, state, detail FROM events;
