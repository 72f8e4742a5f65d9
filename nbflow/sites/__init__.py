"""Own what a site is, where its description comes from, and a live session on it. It knows no task."""
