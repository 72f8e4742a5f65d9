"""The event store of a run: writer, reader, queries. It refuses to know who reads."""
