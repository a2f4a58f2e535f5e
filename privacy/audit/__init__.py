"""The audit: it answers what the lake held on a subject or of a photo, and when, without Spark or a lease.

`table_history` reads the versions of a table, `table_search` finds what they held and says it as a finding
(`table_findings`), `auditor` gathers the findings of all tables into one answer, and `audit_log` writes the
answer as JSON and records the question in the lake.
"""
