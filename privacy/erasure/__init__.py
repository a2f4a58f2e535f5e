"""The erasure of a subject: its rows, files and landing objects are removed, and a certificate proves it.

`erase` takes a request through its states, which `request_journal` records. `subject_matcher` and
`subject_data` find what belongs to the subject. `landing_objects`, `file_removal`, `unreferenced_files` and
`model_refits` remove it. `verification` searches every store for what is left, and `certificate` writes the
proof.
"""
