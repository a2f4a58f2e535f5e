"""The package: everything that a run on the cluster needs, in one file in S3 that never changes.

Nodes don't reach the internet and don't install anything: YARN unpacks the file beside driver and executors.
The file is named by its SHA-256, so that a run can be repeated with the package that it had.
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
from conf.identifiers import named
from conf.settings import EmrSettings, Settings
from emr import account, node_processors, package_archive, wheels
from lake import aws
from lake.run_journal import code_revision
from lake.storage import addresses, s3_requests
from lake.storage.locate import folder
from silver.model_artifact import AS_BEFORE, convert, file_name

ARCHIVE, MANIFEST, LATEST = "package.tar.gz", "manifest.json", "latest.json"

PYTHONPATH = f"./{package_archive.ROOT}/code:./{package_archive.ROOT}/site"
"""The Python path of driver and executors, relative to the working folder that YARN gives to each."""


@dataclass(frozen=True)
class Package:
    """A package in S3. `sha256` is the SHA-256 of its archive in hex, `uri` is the archive's address."""

    sha256: str
    uri: str

    def beside(self, name: str) -> str:
        """The address of another file in the archive's folder."""
        return f"{self.uri.rpartition('/')[0]}/{name}"


@dataclass(frozen=True)
class BuiltPackage:
    """A package on this machine, with the manifest that says what is in it."""

    archive: Path
    sha256: str
    manifest: Mapping[str, Any]


def make_package(settings: Settings, emr_settings: EmrSettings, console: Console) -> None:
    """Build the package of this code and these settings, and upload it where it isn't in S3 yet.

    Raises as `build` and `upload`, and as `account.check_bucket_region` for the bucket for artifacts.
    """
    _check_bucket(emr_settings)
    with tempfile.TemporaryDirectory() as folder:
        with console.status("fetching wheels, converting the extractor"):
            built = build(settings, emr_settings, Path(folder))
        with console.status("uploading the package"):
            package = upload(built, emr_settings)
    manifest = built.manifest
    size = f"{manifest['bytes'] / 1e6:,.0f} MB, {len(manifest['wheels'])} wheels"
    model = f"{manifest['extractor']} {manifest['model_sha256'][:12]} ({_how(manifest)})"
    console.print(
        f"package {built.sha256}: {size}, {model}, code {manifest['code_revision']}.",
        soft_wrap=True,
    )
    console.print(package.uri, soft_wrap=True)


def _how(manifest: Mapping[str, Any]) -> str:
    """Return in which precision and on which pixels a package's model runs, in words."""
    pixels = manifest["pixels"]
    way = "pixels as the lake has them" if pixels == AS_BEFORE else f"{pixels} pixels"
    return f"{manifest['precision']}, {way}"


def build(settings: Settings, emr_settings: EmrSettings, folder: Path) -> BuiltPackage:
    """Build the package in a folder of this machine, into which the wheels are unpacked too.

    Raises as `node_processors.check`, `wheels.install`, `package_archive.packaged_settings` and
    `silver.model_artifact.convert`.
    """
    node_processors.check(settings.model, emr_settings)
    packaged = package_archive.packaged_settings(settings)
    site = folder / "site"
    requirements = wheels.needed_requirements(
        wheels.REQUIREMENTS.read_text(), processor=node_processors.architecture(emr_settings)
    )
    installed = wheels.install(requirements, site, emr_settings=emr_settings)
    lineage, model = convert(settings.model)
    content: dict[str, bytes | Path] = {
        "settings.toml": package_archive.as_toml(packaged).encode(),
        file_name(settings.model.precision): model,
        "model.json": lineage.json().encode(),
    }
    content |= {f"code/{name}": data for name, data in package_archive.code_files().items()}
    content |= {
        f"site/{path.relative_to(site).as_posix()}": path
        for path in site.rglob("*")
        if path.is_file()
    }
    archive = folder / ARCHIVE
    package_archive.write_archive(content, archive)
    manifest = {
        "code_revision": code_revision(),
        "settings_digest": packaged.digest,
        "extractor": lineage.extractor,
        "model_sha256": lineage.model_sha256,
        "precision": lineage.precision,
        "pixels": lineage.pixels,
        "python": emr_settings.python,
        "platform": f"linux_{node_processors.architecture(emr_settings)}",
        "wheels": [asdict(wheel) for wheel in installed],
        "bytes": archive.stat().st_size,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with archive.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return BuiltPackage(archive, sha256, manifest)


def upload(built: BuiltPackage, emr_settings: EmrSettings) -> Package:
    """Upload the package where it isn't in S3 yet, and make it the newest one.

    The manifest is written after the archive, so a package with a manifest is complete. Raises as
    `aws.asking`.
    """
    package = _package(emr_settings, built.sha256)
    if _read(package.beside(MANIFEST)) is None:
        with built.archive.open("rb") as file:
            _write(emr_settings, package.uri, file)
        main = (package_archive.PROJECT / package_archive.MAIN).read_bytes()
        _write(emr_settings, package.beside(package_archive.MAIN), main)
        manifest = _json({"sha256": built.sha256, **built.manifest})
        _write(emr_settings, package.beside(MANIFEST), manifest)
    _write(emr_settings, _latest(emr_settings), _json({"sha256": built.sha256}))
    return package


def latest(emr_settings: EmrSettings) -> Package:
    """Return the package that was made last. Raises BadInput where there is none."""
    content = _read(_latest(emr_settings))
    if content is None:
        raise BadInput(
            f"There is no package under {emr_settings.artifacts}: make one with run.py emr package."
        )
    return _package(emr_settings, json.loads(content)["sha256"])


def by_sha256(emr_settings: EmrSettings, sha256: str) -> Package:
    """Return the package with that SHA-256, or whose SHA-256 alone begins so. Raises BadInput where there is
    none, or several."""
    otherwise = "leave out --package for the newest one, or make one with run.py emr package."
    known = folder(emr_settings.artifacts.rstrip("/")).folders(account.PACKAGES)
    package = _package(emr_settings, named(sha256, known, what="package", otherwise=otherwise))
    if _read(package.beside(MANIFEST)) is None:
        raise BadInput(f"The package {package.sha256} is not whole: {otherwise}")
    return package


def spark_submit(
    package: Package, emr_settings: EmrSettings, settings: Settings, layer: str
) -> list[str]:
    """Return the command that runs `run.py --layer LAYER` on YARN. Its driver runs on the cluster too.

    The main file is not in the archive but beside it, because YARN wants a main file outside an archive.
    """
    config = {**settings.spark.config, "spark.pyspark.python": f"python{emr_settings.python}"}
    # Without a region boto3 asks S3 in another one first, which the nodes' role is denied.
    environment = {"PYTHONPATH": PYTHONPATH, "AWS_DEFAULT_REGION": emr_settings.region}
    for name, value in environment.items():
        config |= {f"spark.yarn.appMasterEnv.{name}": value, f"spark.executorEnv.{name}": value}
    command = ["spark-submit", "--master", "yarn", "--deploy-mode", "cluster"]
    command += ["--name", emr_settings.name]
    command += ["--archives", f"{package.uri}#{package_archive.ROOT}"]
    for key, value in sorted(config.items()):
        command += ["--conf", f"{key}={value}"]
    command += [package.beside(package_archive.MAIN)]
    return [*command, "--layer", layer, "--conf", f"{package_archive.ROOT}/settings.toml"]


def _check_bucket(emr_settings: EmrSettings) -> None:
    """Check the bucket for artifacts.

    Raises BadInput where there are no credentials or no such bucket, and Refused where it lies in another
    region than the cluster.
    """
    name, _ = addresses.bucket_and_prefix(emr_settings.artifacts)
    account.check_bucket_region(name, s3_requests.bucket_region(name), emr_settings)


def _package(emr_settings: EmrSettings, sha256: str) -> Package:
    root = emr_settings.artifacts.rstrip("/")
    return Package(sha256, f"{root}/{account.PACKAGES}/{sha256}/{ARCHIVE}")


def _latest(emr_settings: EmrSettings) -> str:
    """The address of the file that names the newest package."""
    return f"{emr_settings.artifacts.rstrip('/')}/{account.PACKAGES}/{LATEST}"


def _read(uri: str) -> bytes | None:
    """Return the bytes of a small object, or None where it doesn't exist. Raises StorageFailed."""
    place, _, name = uri.rpartition("/")
    return folder(place).read(name)


def _write(emr_settings: EmrSettings, uri: str, content: bytes | BinaryIO) -> None:
    """Write an object in S3. Raises as `aws.asking`."""
    name, key = addresses.bucket_and_prefix(uri)
    with aws.asking(f"to write {uri}"):
        body = io.BytesIO(content) if isinstance(content, bytes) else content
        aws.client("s3", emr_settings.region).upload_fileobj(body, name, key)


def _json(values: Mapping[str, Any]) -> bytes:
    return (json.dumps(values, indent=2) + "\n").encode()
