"""A conversion in a process of its own: what it gives, and what it says where it fails."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conf.errors import BadInput, FruitLakeError
from conf.settings import Settings
from silver import conversion_process, model_artifact
from silver.model_artifact import ConversionFailed
from tests.support.processes import is_running

pytestmark = pytest.mark.tensorflow


def settings(weights):
    words = ["model.extractor=mobilenet_v2", f"model.weights={weights}"]
    return Settings.load("local", environment={}, overrides=words).model


def test_it_gives_what_this_process_would_have_made(one_conversion):
    conversion = one_conversion(settings("random:3"))
    assert conversion.result() == conversion_process.convert(settings("random:3"))
    assert conversion.result() == conversion.result()


def test_weights_that_can_not_be_used_are_told_as_here(one_conversion, tmp_path):
    (tmp_path / "wrong.h5").write_bytes(b"no weights")
    wanted = settings(tmp_path / "wrong.h5")
    with pytest.raises(BadInput) as here:
        conversion_process.convert(wanted)
    with pytest.raises(BadInput) as there:
        one_conversion(wanted).result()
    assert str(there.value) == str(here.value)


def test_one_that_is_killed_is_a_sentence(one_conversion):
    conversion = one_conversion(settings("random:3"))
    conversion._process.kill()
    for _ in range(2):
        with pytest.raises(FruitLakeError, match="The process that converts the model was killed"):
            conversion.result()


def test_what_nobody_foresaw_is_told_with_debug_alone(one_conversion, monkeypatch, tmp_path):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho Traceback of /home/anna >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(ConversionFailed) as found:
        one_conversion(settings("random:3")).result()
    assert str(found.value) == "the process that converts the model ended with 1"
    assert found.value.__notes__ == ["Traceback of /home/anna\n"]


def test_modules_in_the_folder_that_somebody_works_in_are_not_ours(
    one_conversion, monkeypatch, tmp_path
):
    for name in ("conf.py", "random.py"):
        (tmp_path / name).write_text("raise SystemExit(5)")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match="no such file"):
        one_conversion(settings("missing.h5")).result()


def test_one_that_nobody_waits_for_ends(one_conversion):
    conversion = one_conversion(settings("random:3"))
    process, folder = conversion._process, Path(conversion._folder.name)
    assert folder.is_dir()
    del conversion
    assert process.poll() == -signal.SIGKILL
    assert not folder.exists()


DIES = """
import os, signal, sys
from pathlib import Path
from conf.settings import Settings
from silver import model_artifact
words = ["model.extractor=mobilenet_v2", "model.weights=random:3"]
conversion = model_artifact.begin(Settings.load("local", environment={}, overrides=words).model)
Path(sys.argv[1]).write_text(str(conversion._process.pid))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_none_outlives_a_run_that_is_killed(tmp_path):
    told, aside = tmp_path / "pid", tmp_path / "aside"
    aside.mkdir()
    code = str(Path(model_artifact.__file__).parents[1])
    own = os.environ | {"PYTHONPATH": code, "TMPDIR": str(aside)}
    nothing = dict.fromkeys(("stdout", "stderr"), subprocess.DEVNULL)
    command = [sys.executable, "-c", DIES, str(told)]
    assert subprocess.run(command, env=own, **nothing, check=False).returncode < 0
    until = time.monotonic() + 60
    while is_running(int(told.read_text())):
        assert time.monotonic() < until
        time.sleep(0.1)
    assert not list(aside.rglob("*.tflite"))  # it didn't finish first
