"""The lake: the Spark session, the tables, chunks and commits, the lease, pseudonyms and the journal of
runs."""
