CREATE TABLE IF NOT EXISTS results (
    key BLOB PRIMARY KEY,
    app TEXT NOT NULL,
    kind TEXT NOT NULL,
    code BLOB NOT NULL,
    forms TEXT NOT NULL,    -- JSON: argument -> [form, how it reads]
    outputs TEXT NOT NULL,  -- JSON: [path, digest] of each file that the call wrote
    codec TEXT NOT NULL,
    payload BLOB NOT NULL,  -- the result, or the digest of the file that holds a large one
    is_apart INTEGER NOT NULL,
    nbytes INTEGER NOT NULL,
    created REAL NOT NULL,
    used REAL NOT NULL,
    seal BLOB NOT NULL      -- HMAC with the user's key over all that a hit believes
);
CREATE INDEX IF NOT EXISTS results_by_app ON results (app, created);
CREATE INDEX IF NOT EXISTS results_by_use ON results (used);
CREATE TABLE IF NOT EXISTS codes (digest BLOB PRIMARY KEY, parts TEXT NOT NULL);
