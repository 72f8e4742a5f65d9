"""Look at failed calls after the fact: their records on disk, debuggers on them, tests made from them."""
