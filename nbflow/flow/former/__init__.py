"""What earlier runs left, and what binds a call to it."""
