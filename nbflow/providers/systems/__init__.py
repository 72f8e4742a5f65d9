"""One table for each batch system."""
