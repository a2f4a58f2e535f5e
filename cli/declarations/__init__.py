"""The words of every command: what help, the reference, completion and the parser know of it."""
