"""The commands, one file each. A file gives a `COMMAND`, and `cli.registry` lists it."""
