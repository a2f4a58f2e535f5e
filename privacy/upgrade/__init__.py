"""The upgrade: it takes a lake of an earlier format to today's, one format after the other.

`upgrade_step` says what a step is, and each step has a module, such as `from_format_4`. `chain` has all steps
in their order, says what they will change, and takes them.
"""
