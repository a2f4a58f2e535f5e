"""Core files: the memory of a process that crashed, as a file. It may hold photos and names."""

import resource


def forbid() -> None:
    """Keep this process, and every process that it starts from now on, from leaving a core file.

    Java, its workers and the decoders inherit the limit. A program that the system pipes cores to, such as
    systemd-coredump, is told it and keeps none either.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
