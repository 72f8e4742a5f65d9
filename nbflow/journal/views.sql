-- What `nbflow sql` can ask: views that stay as they are while the tables below them may change. Times are seconds
-- since the epoch, states are spelled as everywhere else (`done`, `upstream_failed`). docs/sql.md lists the columns.

CREATE TEMP VIEW run AS
SELECT
  max(CASE key WHEN 'run' THEN json_extract(value, '$') END) AS run,
  max(CASE key WHEN 'started' THEN json_extract(value, '$') END) AS started,
  max(CASE key WHEN 'ended' THEN json_extract(value, '$') END) AS ended,
  max(CASE key WHEN 'outcome' THEN json_extract(value, '$') END) AS outcome,
  max(CASE key WHEN 'program' THEN json_extract(value, '$') END) AS program,
  max(CASE key WHEN 'host' THEN json_extract(value, '$') END) AS host,
  max(CASE key WHEN 'pid' THEN json_extract(value, '$') END) AS pid
FROM main.info;

CREATE TEMP VIEW apps AS SELECT name, kind, module, line, source FROM main.apps;

CREATE TEMP VIEW cells AS SELECT origin, notebook, cell_id, execution_count, source_hash FROM main.cells;

CREATE TEMP VIEW tasks AS
SELECT
  task, app, label, call, lower(state) AS state, try_id, submitted, started, finished, seconds, slot, error, message,
  root, origin, spawner, notebook, cell_id, execution_count, source_hash
FROM main.task_states;

CREATE TEMP VIEW edges AS
SELECT parent, child, CASE kind WHEN 0 THEN 'argument' ELSE 'join' END AS kind FROM main.edges;

CREATE TEMP VIEW files AS
SELECT task, path, iif(is_written, 'writes', 'reads') AS role FROM main.files;

CREATE TEMP VIEW events AS
SELECT
  stream.seq, stream.time, stream.task, apps.name AS app, stream.try_id, stream.event, lower(states.name) AS state,
  json_extract(detail, '$.slot') AS slot,
  json_extract(detail, '$.seconds') AS seconds,
  json_extract(detail, '$.cause') AS cause,
  json_extract(detail, '$.error') AS error,
  json_extract(detail, '$.message') AS message,
  json_extract(detail, '$.root') AS root,
  json_extract(detail, '$.why') AS why,
  json_extract(detail, '$.by') AS by
FROM main.stream AS stream
LEFT JOIN main.tasks AS tasks ON tasks.task = stream.task
LEFT JOIN main.apps AS apps ON apps.app = tasks.app
LEFT JOIN main.states AS states ON states.state = stream.state;

-- As nbflow/journal/attempts.py sums them up: sent to a slot, or ended without one by what was remembered or not
-- staged; what was sent ahead, behind a parent that failed, never started.
CREATE TEMP VIEW attempts AS
SELECT
  tries.task, apps.name AS app, tries.try_id,
  json_extract(sent.detail, '$.slot') AS slot,
  json_extract(sent.detail, '$.why') AS why,
  sent.time AS started,
  ended.time AS ended,
  ended.event AS "end",
  json_extract(ended.detail, '$.seconds') AS seconds,
  json_extract(ended.detail, '$.cause') AS cause,
  json_extract(ended.detail, '$.error') AS error,
  json_extract(ended.detail, '$.message') AS message,
  json_extract(ended.detail, '$.traceback') AS traceback
FROM (
  SELECT
    task, try_id,
    max(CASE WHEN event = 'Dispatched' THEN seq END) AS sent,
    max(CASE WHEN event IN ('CancelRequested', 'MemoHit', 'Returned', 'Spawned', 'StagingFailed', 'TryFailed')
        THEN seq END) AS ended,
    max(event IN ('MemoHit', 'StagingFailed')) AS is_without_slot,
    max(CASE WHEN event = 'DepFailed' THEN seq END) AS given_up
  FROM main.events
  GROUP BY task, try_id
) AS tries
LEFT JOIN main.events AS sent ON sent.seq = tries.sent
LEFT JOIN main.events AS ended ON ended.seq = tries.ended AND (tries.sent IS NULL OR tries.ended > tries.sent)
LEFT JOIN main.tasks AS tasks ON tasks.task = tries.task
LEFT JOIN main.apps AS apps ON apps.app = tasks.app
WHERE (tries.sent IS NOT NULL AND (ended.seq IS NOT NULL OR tries.given_up IS NULL OR tries.given_up < tries.sent))
   OR (tries.sent IS NULL AND tries.is_without_slot);

CREATE TEMP VIEW failures AS
SELECT
  stands.task, stands.app, stands.call, failed.try_id, failed.time, stands.slot,
  json_extract(failed.detail, '$.seconds') AS seconds,
  json_extract(failed.detail, '$.cause') AS cause,
  json_extract(failed.detail, '$.error') AS error,
  json_extract(failed.detail, '$.message') AS message,
  json_extract(failed.detail, '$.traceback') AS traceback
FROM main.task_states AS stands
JOIN main.events AS failed ON failed.seq = (
  SELECT max(seq) FROM main.events AS own
  WHERE own.task = stands.task AND own.event IN ('TryFailed', 'StagingFailed')
)
WHERE stands.state = 'FAILED';

CREATE TEMP VIEW outputs AS SELECT task, try_id, stream, nbytes, text FROM main.outputs;

CREATE TEMP VIEW usage AS
SELECT task, try_id, cpu_seconds, nbytes FROM main.usage;

