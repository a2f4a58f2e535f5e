"""`run.py emr package`: all that a run on the cluster needs, in one file in S3 that never changes.

No node reaches the internet, and none installs anything: YARN unpacks the file beside driver and executors.
It is named by its SHA-256, so that a run can be repeated with the package that it had.
"""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from rich.console import Console

from conf.errors import BadInput
from conf.settings import EmrSettings, Settings
from emr import account, package_archive, wheels
from lake import aws
from lake.run_journal import code_revision
from lake.storage import addresses, s3_requests
from lake.storage.locate import folder
from silver.model_source import convert

ARCHIVE, MANIFEST, LATEST = "package.tar.gz", "manifest.json", "latest.json"

PYTHONPATH = f"./{package_archive.ROOT}/code:./{package_archive.ROOT}/site"
"""Of driver and executors, from the working folder that YARN gives to each."""


@dataclass(frozen=True)
class Package:
    """A package in S3: the SHA-256 of its archive, in hex, and where that lies."""

    sha256: str
    uri: str

    def beside(self, name: str) -> str:
        """The URI of a file that belongs to the package."""
        return f"{self.uri.rpartition('/')[0]}/{name}"


@dataclass(frozen=True)
class Built:
    """A package that was made on this machine, with the manifest that says what it is of."""

    archive: Path
    sha256: str
    manifest: Mapping[str, Any]


def make_package(settings: Settings, own: EmrSettings, console: Console) -> None:
    """Makes the package of this code and these settings, and puts it into S3 where it isn't there yet.

    Raises as `build` and `upload`.
    """
    _check_bucket(own)
    with tempfile.TemporaryDirectory() as folder:
        with console.status("fetching wheels, converting the extractor"):
            built = build(settings, own, Path(folder))
        with console.status("uploading the package"):
            package = upload(built, own)
    told = built.manifest
    size = f"{told['bytes'] / 1e6:,.0f} MB, {len(told['wheels'])} wheels"
    model = f"{told['extractor']} {told['weights_id'][:12]}"
    console.print(
        f"package {built.sha256}: {size}, {model}, code {told['code_revision']}.", soft_wrap=True
    )
    console.print(package.uri, soft_wrap=True)


def build(settings: Settings, own: EmrSettings, folder: Path) -> Built:
    """Makes the package in a folder of this machine, in which its wheels are unpacked too.

    Raises as `wheels.install`, `archive.packaged` and `silver.model_source.convert`.
    """
    packaged = package_archive.packaged(settings)
    site = folder / "site"
    installed = wheels.install(wheels.wanted(wheels.REQUIREMENTS.read_text()), site, own=own)
    lineage, flatbuffer = convert(settings.model)
    content: dict[str, bytes | Path] = {
        "settings.toml": package_archive.as_toml(packaged).encode(),
        "model.tflite": flatbuffer,
        "model.json": lineage.json().encode(),
    }
    content |= {f"code/{name}": data for name, data in package_archive.code().items()}
    content |= {
        f"site/{path.relative_to(site).as_posix()}": path
        for path in site.rglob("*")
        if path.is_file()
    }
    target = folder / ARCHIVE
    package_archive.write(content, target)
    manifest = {
        "code_revision": code_revision(),
        "settings_digest": packaged.digest,
        "extractor": lineage.extractor,
        "weights_id": lineage.weights_id,
        "python": own.python,
        "platform": f"linux_{wheels.architecture(own)}",
        "wheels": [asdict(wheel) for wheel in installed],
        "bytes": target.stat().st_size,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with target.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return Built(target, sha256, manifest)


def upload(built: Built, own: EmrSettings) -> Package:
    """Puts the package where it isn't yet, its manifest after it, and last the pointer to the newest.

    Raises as `aws.asking`.
    """
    package = _at(own, built.sha256)
    if _read(package.beside(MANIFEST)) is None:
        with built.archive.open("rb") as file:
            _write(own, package.uri, file)
        _write(
            own,
            package.beside(package_archive.MAIN),
            (package_archive.PROJECT / package_archive.MAIN).read_bytes(),
        )
        _write(own, package.beside(MANIFEST), _json({"sha256": built.sha256, **built.manifest}))
    _write(own, _latest(own), _json({"sha256": built.sha256}))
    return package


def latest(own: EmrSettings) -> Package:
    """The package that was made last. Raises BadInput where there is none."""
    content = _read(_latest(own))
    if content is None:
        raise BadInput(
            f"There is no package under {own.artifacts}: make one with run.py emr package."
        )
    return _at(own, json.loads(content)["sha256"])


def named(own: EmrSettings, sha256: str) -> Package:
    """The package of that SHA-256. Raises BadInput where there is none."""
    package = _at(own, sha256)
    if _read(package.beside(MANIFEST)) is None:
        raise BadInput(
            f"There is no package {sha256} under {own.artifacts}: leave out --package for the newest, or "
            f"make one with run.py emr package."
        )
    return package


def spark_submit(package: Package, own: EmrSettings, settings: Settings, layer: str) -> list[str]:
    """The command that runs `run.py --layer LAYER` on YARN, its driver on the cluster too.

    The main file lies beside the package: YARN wants one outside an archive.
    """
    config = {**settings.spark.config, "spark.pyspark.python": f"python{own.python}"}
    # Without a region boto3 asks S3 in another one first, which the nodes' role is denied.
    for name, value in (("PYTHONPATH", PYTHONPATH), ("AWS_DEFAULT_REGION", own.region)):
        config |= {f"spark.yarn.appMasterEnv.{name}": value, f"spark.executorEnv.{name}": value}
    command = ["spark-submit", "--master", "yarn", "--deploy-mode", "cluster", "--name", own.name]
    command += ["--archives", f"{package.uri}#{package_archive.ROOT}"]
    for key, value in sorted(config.items()):
        command += ["--conf", f"{key}={value}"]
    command += [package.beside(package_archive.MAIN)]
    return [*command, "--layer", layer, "--conf", f"{package_archive.ROOT}/settings.toml"]


def _check_bucket(own: EmrSettings) -> None:
    """Raises BadInput where there are no credentials or no such bucket, Refused where it lies elsewhere."""
    name, _ = addresses.bucket_and_prefix(own.artifacts)
    account.check_bucket(name, s3_requests.bucket_region(name), own)


def _at(own: EmrSettings, sha256: str) -> Package:
    return Package(sha256, f"{own.artifacts.rstrip('/')}/{account.PACKAGES}/{sha256}/{ARCHIVE}")


def _latest(own: EmrSettings) -> str:
    return f"{own.artifacts.rstrip('/')}/{account.PACKAGES}/{LATEST}"


def _read(uri: str) -> bytes | None:
    """The bytes of a small object; None where there is none. Raises StorageFailed."""
    place, _, name = uri.rpartition("/")
    return folder(place).read(name)


def _write(own: EmrSettings, uri: str, content: bytes | BinaryIO) -> None:
    """Raises as `aws.asking`."""
    name, key = addresses.bucket_and_prefix(uri)
    with aws.asking(f"to write {uri}"):
        body = io.BytesIO(content) if isinstance(content, bytes) else content
        aws.client("s3", own.region).upload_fileobj(body, name, key)


def _json(values: Mapping[str, Any]) -> bytes:
    return (json.dumps(values, indent=2) + "\n").encode()
