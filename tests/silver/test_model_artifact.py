"""A conversion in a process of its own: what it gives, and what it says where it fails."""

import os
import subprocess
import sys
import time
from multiprocessing import active_children
from pathlib import Path

import pytest

from conf.errors import BadInput, FruitLakeError
from conf.settings import Settings
from silver import model_artifact


def settings(weights):
    words = ["model.extractor=mobilenet_v2", f"model.weights={weights}"]
    return Settings.load("local", environment={}, overrides=words).model


def test_it_gives_what_this_process_would_have_made(one_conversion):
    made = one_conversion(settings("random:3")).result()
    assert made == model_artifact._convert(settings("random:3"))


def test_weights_that_can_not_be_used_are_told_as_here(one_conversion, tmp_path):
    (tmp_path / "wrong.h5").write_bytes(b"no weights")
    wanted = settings(tmp_path / "wrong.h5")
    with pytest.raises(BadInput) as here:
        model_artifact._convert(wanted)
    with pytest.raises(BadInput) as there:
        one_conversion(wanted).result()
    assert str(there.value) == str(here.value)


def test_one_that_is_killed_is_a_sentence(one_conversion):
    before = set(active_children())
    conversion = one_conversion(settings("random:3"))
    [process] = set(active_children()) - before
    process.kill()
    for _ in range(2):
        with pytest.raises(FruitLakeError, match="The process that converts the model was killed"):
            conversion.result()


DIES = """
import multiprocessing, os, signal
from conf.settings import Settings
from silver import model_artifact
if __name__ == "__main__":
    words = ["model.extractor=mobilenet_v2", "model.weights=random:3"]
    conversion = model_artifact.begin(Settings.load("local", environment={}, overrides=words).model)
    [process] = multiprocessing.active_children()
    print(process.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_none_outlives_a_run_that_is_killed_for_long(tmp_path):
    """It ends with its answer, though nobody waits for it."""
    (tmp_path / "dies.py").write_text(DIES)
    paths = os.environ | {"PYTHONPATH": str(Path(model_artifact.__file__).parents[1])}
    own = {"capture_output": True, "text": True}
    told = subprocess.run(
        [sys.executable, str(tmp_path / "dies.py")], env=paths, **own, check=False
    )
    process = Path("/proc", told.stdout.strip())
    assert process.name.isdecimal()
    until = time.monotonic() + 120
    while process.exists() and "zombie" not in (process / "status").read_text():
        assert time.monotonic() < until
        time.sleep(0.1)
