"""The command line: the registry of commands, what each does, and what people see of it on a terminal."""
