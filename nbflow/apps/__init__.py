"""Turn functions and commands into apps: calling one makes a task and returns a future at once."""
