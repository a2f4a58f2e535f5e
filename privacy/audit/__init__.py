"""The audit: it answers what the lake held on a subject or of a photo, and when, without Spark or a lease.

`table_history` reads the versions of a table, `table_search` finds what they held and says it as a finding
(`table_findings`), and `place_search` finds what lies staged (`staged_rows`) and in the landing folder.
`privacy.owned_rows` says what counts as somebody's, by the rows that `key_rows` reads. `auditor` gathers the
findings into one answer, and `audit_log` writes it as JSON and records the question in the lake.
"""
