CREATE TABLE IF NOT EXISTS codes (
    id INTEGER PRIMARY KEY,     -- made of the next three: kernels know it without asking
    digest BLOB NOT NULL,
    app TEXT NOT NULL,
    kind TEXT NOT NULL,
    parts TEXT NOT NULL     -- JSON: [name, digest, text] of all that the code reaches
);
CREATE TABLE IF NOT EXISTS results (
    key BLOB PRIMARY KEY,
    code INTEGER NOT NULL,
    nbytes INTEGER NOT NULL,
    asked REAL NOT NULL,    -- when the call was looked up
    used REAL NOT NULL,
    seconds REAL NOT NULL,  -- how long it ran
    codec TEXT NOT NULL,
    is_apart INTEGER NOT NULL,
    outputs TEXT NOT NULL,  -- JSON: [path, digest] of each file that the call wrote
    forms TEXT NOT NULL,    -- Python literal: argument -> its form, or (form, how it reads)
    seal BLOB NOT NULL,     -- BLAKE2 with the user's key over all that a hit believes
    payload BLOB NOT NULL   -- the result, or the digest of the file that holds a large one
);
CREATE TABLE IF NOT EXISTS recent (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    rows BLOB NOT NULL,     -- marshal: rows of `results` without their seals, which are made when they go there
    seal BLOB NOT NULL      -- BLAKE2 with the user's key over `rows`
);
