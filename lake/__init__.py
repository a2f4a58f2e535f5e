"""The lake: Spark's session, the tables, chunks and commits, keys, the run journal."""
