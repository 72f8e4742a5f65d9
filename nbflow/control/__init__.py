"""Own the way to a live run from outside its process: where its socket is, what is said there, who asks."""
