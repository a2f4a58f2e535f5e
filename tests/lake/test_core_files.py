"""A command, and what it starts, leaves no core file."""

import subprocess
import sys

TOLD = "import resource; print(*resource.getrlimit(resource.RLIMIT_CORE))"


def test_a_command_and_its_children_leave_no_core_file():
    program = (
        "import resource, subprocess, sys\n"
        "hard = resource.getrlimit(resource.RLIMIT_CORE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))\n"
        "import cli.main\n"
        "print(hard, flush=True)\n"
        "code = cli.main.main(['models', '--no-such-word'], lambda *_: None)\n"
        f"print(subprocess.run([sys.executable, '-c', {TOLD!r}], capture_output=True, text=True).stdout)"
    )
    asked = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    hard, *_, limits = asked.stdout.split("\n", 1)
    assert limits.strip().splitlines()[-1] == f"0 {hard}", asked
