"""What is in a package, where it lies, and every reason for which none is made."""

import hashlib
import json
import shutil
import sys
import tarfile
import zipfile
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import boto3
import pytest
from moto import mock_aws
from rich.console import Console

from cli.command import Words
from cli.commands import emr as emr_command
from conf.errors import BadInput, BadSettings, FruitLakeError, Refused
from conf.settings import Settings
from emr import package, package_archive, wheels
from emr.package import BuiltPackage, Package
from lake import aws, catalog, run_journal
from lake.enums import PixelWay, Precision
from lake.model_identity import ModelIdentity
from silver import model_artifact, model_files
from silver.model_artifact import Lineage
from tests.support.archives import unpack
from tests.support.earlier_lakes import unpack_lake
from tests.support.place import Place

REGION = "eu-west-3"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
MODEL = ("model.extractor=mobilenet_v2", "model.weights=random:3")


def load(*overrides):
    return Settings.load("emr", environment={}, overrides=[f"emr.python={PYTHON}", *overrides])


OWN = load().emr
BUCKET = OWN.artifacts.removeprefix("s3://").partition("/")[0]


@pytest.fixture
def account(monkeypatch):
    """An account without buckets."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    aws.client.cache_clear()
    with mock_aws():
        yield boto3.client("s3")
    aws.client.cache_clear()


@pytest.fixture
def s3(account):
    """An account with the artifacts' bucket."""
    account.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    return account


@pytest.fixture
def built(tmp_path):
    """A package on this machine with a small archive."""
    target = tmp_path / package.ARCHIVE
    package_archive.write_archive({"settings.toml": b"[paths]\n"}, target)
    sha256 = hashlib.sha256(target.read_bytes()).hexdigest()
    return BuiltPackage(target, sha256, {"weights_id": "w", "wheels": []})


def keys(s3):
    return {each["Key"] for each in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])}


def test_a_package_lies_under_its_hash_with_its_main_file_and_manifest(s3, built):
    made = package.upload(built, OWN)
    folder = f"emr/packages/{built.sha256}"
    assert made == Package(built.sha256, f"s3://{BUCKET}/{folder}/package.tar.gz")
    assert keys(s3) == {
        *(f"{folder}/{name}" for name in ("package.tar.gz", "run.py", "manifest.json")),
        "emr/packages/latest.json",
    }
    held = s3.get_object(Bucket=BUCKET, Key=f"{folder}/package.tar.gz")["Body"].read()
    assert hashlib.sha256(held).hexdigest() == built.sha256
    manifest = s3.get_object(Bucket=BUCKET, Key=f"{folder}/manifest.json")["Body"].read()
    assert json.loads(manifest) == {"sha256": built.sha256, "weights_id": "w", "wheels": []}


def test_the_newest_is_the_last_that_was_made_and_older_ones_stay(s3, built):
    first = package.upload(built, OWN)
    second = package.upload(BuiltPackage(built.archive, "f" * 64, {}), OWN)
    assert package.latest(OWN) == second
    assert package.by_sha256(OWN, first.sha256) == first
    package.upload(built, OWN)
    assert package.latest(OWN) == first


def test_what_is_there_is_not_uploaded_again(s3, built):
    made = package.upload(built, OWN)
    built.archive.unlink()
    assert package.upload(built, OWN) == made


def test_an_upload_that_was_cut_short_is_made_whole(s3, built):
    folder = f"emr/packages/{built.sha256}"
    s3.put_object(Bucket=BUCKET, Key=f"{folder}/package.tar.gz", Body=b"half")
    package.upload(built, OWN)
    held = s3.get_object(Bucket=BUCKET, Key=f"{folder}/package.tar.gz")["Body"].read()
    assert held == built.archive.read_bytes()


def test_no_package_is_told(s3):
    with pytest.raises(BadInput, match=r"no package under s3://.*make one with run.py emr package"):
        package.latest(OWN)
    with pytest.raises(BadInput, match="There is no package abc, and it is too short"):
        package.by_sha256(OWN, "abc")


def command(settings):
    emr_command.run_package(Words(), settings, Console(quiet=True))


def test_a_bucket_that_is_missing_is_told_before_anything_is_fetched(account):
    with pytest.raises(BadInput, match=f"There is no bucket {BUCKET}"):
        command(load())


def test_a_bucket_in_another_region_is_refused(account):
    elsewhere = {"LocationConstraint": "us-west-2"}
    boto3.client("s3", region_name="us-west-2").create_bucket(
        Bucket=BUCKET, CreateBucketConfiguration=elsewhere
    )
    with pytest.raises(Refused, match="us-west-2"):
        command(load())


def test_no_credentials_are_told(monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    aws.client.cache_clear()
    with pytest.raises(FruitLakeError, match="there are no credentials") as told:
        command(load())
    assert told.value.exit_code == 2
    aws.client.cache_clear()


def test_the_command_that_submits(s3):
    settings = load("spark.config.spark.driver.memory=2g")
    at = Package("ab", f"s3://{BUCKET}/emr/packages/ab/package.tar.gz")
    words = package.spark_submit(at, settings.emr, settings, "silver")
    assert words[:5] == ["spark-submit", "--master", "yarn", "--deploy-mode", "cluster"]
    assert words[words.index("--archives") + 1] == f"{at.uri}#package"
    main = words.index(f"s3://{BUCKET}/emr/packages/ab/run.py")
    assert words[main + 1 :] == ["--layer", "silver", "--conf", "package/settings.toml"]
    set_to = dict(value.split("=", 1) for word, value in pairwise(words[:main]) if word == "--conf")
    path = "./package/code:./package/site"
    assert set_to["spark.yarn.appMasterEnv.PYTHONPATH"] == path
    assert set_to["spark.executorEnv.PYTHONPATH"] == path
    assert set_to["spark.yarn.appMasterEnv.AWS_DEFAULT_REGION"] == settings.emr.region
    assert set_to["spark.executorEnv.AWS_DEFAULT_REGION"] == settings.emr.region
    assert set_to["spark.pyspark.python"] == f"python{PYTHON}"
    assert settings.spark.config.items() <= set_to.items()
    assert set_to["spark.driver.memory"] == "2g"


# What is in a package


def test_an_archive_is_the_same_bytes_whatever_the_order_times_and_modes(tmp_path):
    file = tmp_path / "b.so"
    file.write_bytes(b"code")
    package_archive.write_archive({"site/b.so": file, "a.txt": b"text"}, tmp_path / "one.tar.gz")
    file.chmod(0o755)
    file.touch()
    package_archive.write_archive({"a.txt": b"text", "site/b.so": file}, tmp_path / "other.tar.gz")
    assert (tmp_path / "one.tar.gz").read_bytes() == (tmp_path / "other.tar.gz").read_bytes()
    with tarfile.open(tmp_path / "one.tar.gz") as tar:
        assert [(e.name, e.mode, e.mtime, e.uid) for e in tar] == [
            ("a.txt", 0o644, 0, 0),
            ("site/b.so", 0o644, 0, 0),
        ]


def test_the_code_is_the_rooms_with_their_data_and_no_tests():
    held = package_archive.code_files()
    assert {"run.py", "conf/local.toml", "expectations/bronze_photos.json"} <= held.keys()
    assert {name.partition("/")[0] for name in held} == {
        *package_archive.ROOMS,
        "run.py",
        "REVISION",
    }
    rooms = {path.parent.name for path in package_archive.PROJECT.glob("*/__init__.py")}
    assert rooms == set(package_archive.ROOMS)


def test_caches_and_hidden_files_are_no_code(tmp_path, monkeypatch):
    names = {"run.py", "conf/local.toml", "silver/extractors/mine.py"}
    for name in (*names, "conf/__pycache__/local.pyc", "silver/extractors/.mine.py.swp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.setattr(package_archive, "PROJECT", tmp_path)
    assert package_archive.code_files().keys() == names | {"REVISION"}


def test_code_without_its_history_knows_its_revision(tmp_path, monkeypatch):
    (tmp_path / "REVISION").write_bytes(package_archive.code_files()["REVISION"])
    monkeypatch.setattr(run_journal, "REVISION", tmp_path / "none")
    here = run_journal.code_revision()
    monkeypatch.setattr(run_journal, "REVISION", tmp_path / "REVISION")
    monkeypatch.setattr(run_journal, "PROJECT", tmp_path)
    assert run_journal.code_revision() == here != "unknown"


@pytest.mark.parametrize(
    "overrides",
    [
        (),
        ("pca.variance=0.9", "emr.subnets=['subnet-1','subnet-2']"),
        ('paths.landing=s3://b/a "quoted" \\ path', "spark.config.a.b=x=y z"),
        ("paths.landing=s3://b/Äpfel\x7f\t🍏",),
    ],
)
def test_settings_come_back_from_the_package_as_they_were(tmp_path, overrides):
    packaged = package_archive.packaged_settings(load(*overrides))
    (tmp_path / "settings.toml").write_text(package_archive.as_toml(packaged))
    again = Settings.load(str(tmp_path / "settings.toml"), environment={})
    assert again == packaged
    assert again.digest == packaged.digest
    assert again.model.flatbuffer == "package/model.tflite"


def test_a_package_in_int8_names_the_zip():
    packaged = package_archive.packaged_settings(load("model.precision=int8"))
    assert packaged.model.flatbuffer == "package/model.zip"


@pytest.mark.parametrize(
    "key", ["spark.hadoop.fs.s3a.secret.key", "spark.hadoop.fs.s3a.access.key", "my.Password"]
)
def test_a_secret_is_not_packaged(key):
    with pytest.raises(BadSettings, match=f"spark.config {key} looks like a secret") as told:
        package_archive.packaged_settings(load(f"spark.config.{key}=hush"))
    assert "hush" not in str(told.value)


# The wheels


def test_what_is_left_out_is_required_and_the_rest_is_wanted():
    lines = wheels.REQUIREMENTS.read_text().splitlines()
    names = {wheels.package_name(line) for line in lines}
    assert names >= {*wheels.LEFT_OUT, *wheels.WITHOUT_DEPENDENCIES}
    for processor, absent in (("x86_64", set()), ("aarch64", {*wheels.WITHOUT_ARM_WHEEL})):
        needed = wheels.needed_requirements("\n".join(lines), processor=processor)
        wanted = {wheels.package_name(line) for line in needed}
        assert wanted == names - wheels.LEFT_OUT.keys() - absent
        assert "openvino" in wanted
        unwanted = {"tensorflow", "keras", "ai-edge-litert", "nncf", "openvino-telemetry"}
        assert not wanted & unwanted


def test_what_has_no_wheel_for_arm_is_conditional_and_the_rest_is_not():
    """pip would apply a condition to this machine, and not to the nodes."""
    lines = wheels.REQUIREMENTS.read_text().splitlines()
    conditional = [wheels.package_name(line) for line in lines if ";" in line]
    assert conditional == [*wheels.WITHOUT_ARM_WHEEL]
    for processor in ("x86_64", "aarch64"):
        needed = wheels.needed_requirements("\n".join(lines), processor=processor)
        assert not any(";" in line for line in needed)


def test_comments_and_empty_lines_are_no_requirements():
    text = "# a comment\n\nnumpy==1.0  # why\nTensorFlow==2.0\nkeras-extra[x]>=1\n"
    assert wheels.needed_requirements(text, processor="x86_64") == [
        "numpy==1.0",
        "keras-extra[x]>=1",
    ]


def wheel(folder, name, tag, *, script=False, version="1.0", more=(), needs=""):
    """Write a wheel with one module, and return its SHA-256. It holds `more` files, and `needs` a package."""
    info = f"{name}-{version}.dist-info"
    told = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    files = {
        f"{name}.py": "",
        **dict.fromkeys(more, ""),
        f"{info}/METADATA": told + (f"Requires-Dist: {needs}\n" if needs else ""),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\n",
    }
    if script:
        files[f"{info}/entry_points.txt"] = f"[console_scripts]\n{name} = {name}:main\n"
    files[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in files)
    path = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as file:
        for inside, text in files.items():
            file.writestr(inside, text)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder that pip uses instead of the package index."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def cpython(platform):
    number = PYTHON.replace(".", "")
    return f"cp{number}-cp{number}-{platform}"


def test_wheels_come_for_the_clusters_processors_without_commands_of_this_machine(index, tmp_path):
    arm = OWN.model_copy(update={"core": ("m7g.xlarge",), "task": ("c7g.xlarge",)})
    wheel(index, "grape", cpython("manylinux_2_28_x86_64"), script=True)
    sha256 = wheel(index, "grape", cpython("manylinux_2_28_aarch64"), script=True)
    site = tmp_path / "site"
    assert wheels.install(["grape==1.0"], site, emr_settings=arm) == [
        wheels.Wheel("grape", "1.0", sha256)
    ]
    held = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    assert "grape.py" in held
    assert not [name for name in held if "bin/" in name or name.endswith(".pyc")]
    record = (site / "grape-1.0.dist-info" / "RECORD").read_text()
    assert "grape.py" in record
    assert "bin/" not in record


@pytest.mark.parametrize(
    ("types", "version"), [(("m7g.xlarge",), "2025.2.0"), (("m5.xlarge",), "2026.4.1")]
)
def test_openvino_comes_in_the_version_for_the_nodes_and_without_what_they_do_not_need(
    index, tmp_path, types, version
):
    """This environment has the later one; the earlier one asks for a numpy that isn't ours."""
    own = OWN.model_copy(update={"core": types, "task": types})
    libs = "openvino/libs"
    kept = (f"{libs}/libopenvino_tensorflow_lite_frontend.so", f"{libs}/libopenvino_ir_frontend.so")
    dropped = (
        *(f"{libs}/libopenvino_intel_gpu_plugin.so", f"{libs}/libopenvino_tensorflow_frontend.so"),
        *(f"{libs}/cache.json", "openvino/include/openvino/core.hpp"),
    )
    for number, platform in (("2025.2.0", "manylinux_2_31"), ("2026.4.1", "manylinux_2_28")):
        processor = "aarch64" if number == "2025.2.0" else "x86_64"
        tag = cpython(f"{platform}_{processor}")
        wheel(index, "openvino", tag, version=number, more=(*kept, *dropped), needs="numpy<2.3")
    site = tmp_path / "site"
    [made] = wheels.install(["openvino==2026.4.1"], site, emr_settings=own)
    assert (made.name, made.version) == ("openvino", version)
    held = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    record = (site / f"openvino-{version}.dist-info" / "RECORD").read_text()
    for name in kept:
        assert name in held
        assert name in record
    for name in dropped:
        assert name not in held
        assert name not in record


@pytest.mark.parametrize(
    "platform",
    ["win_amd64", "macosx_11_0_arm64", "manylinux_2_28_aarch64", "manylinux_2_39_x86_64"],
)
def test_a_wheel_that_does_not_exist_for_the_nodes_is_told(index, tmp_path, platform):
    wheel(index, "grape", cpython(platform))
    with pytest.raises(BadInput, match=f"no wheel of grape==1.0 for Python {PYTHON} on Linux x86"):
        wheels.install(["grape==1.0"], tmp_path / "site", emr_settings=OWN)


def test_a_package_index_that_is_not_reached_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(FruitLakeError, match="package index can't be reached"):
        wheels.install(["grape==1.0"], tmp_path / "site", emr_settings=OWN)


def test_another_python_than_the_clusters_is_told(tmp_path):
    other = "3.13" if PYTHON != "3.13" else "3.12"
    own = OWN.model_copy(update={"python": other})
    with pytest.raises(BadInput, match=rf"for Python {other} \(emr.python\), and this is {PYTHON}"):
        wheels.install(["grape==1.0"], tmp_path / "site", emr_settings=own)


# The whole command, with a model and a wheel that are small


@pytest.fixture
def small(index, tmp_path, monkeypatch):
    """Settings of a package that is made quickly, and the SHA-256 of its model and of its wheel."""
    flatbuffer = b"....TFL3...."
    (tmp_path / "own.tflite").write_bytes(flatbuffer)
    (tmp_path / "requirements.txt").write_text("grape==1.0\ntensorflow==2.0\n")
    monkeypatch.setattr(wheels, "REQUIREMENTS", tmp_path / "requirements.txt")
    settings = load("model.extractor=tflite", f"model.weights={tmp_path / 'own.tflite'}")
    sha256 = wheel(index, "grape", cpython("manylinux_2_28_x86_64"), script=True)
    return settings, hashlib.sha256(flatbuffer).hexdigest(), sha256


def test_the_command_puts_a_whole_package_into_the_bucket_and_the_same_a_second_time(
    s3, small, tmp_path
):
    settings, model_sha256, wheel_sha256 = small
    command(settings)
    made = package.latest(settings.emr)
    key = made.uri.removeprefix(f"s3://{BUCKET}/")
    s3.download_file(BUCKET, key, str(tmp_path / "package.tar.gz"))
    unpack(tmp_path / "package.tar.gz", tmp_path / "package")
    held = tmp_path / "package"
    assert {path.name for path in held.iterdir()} == {
        *("code", "site", "settings.toml", "model.tflite", "model.json"),
    }
    lineage = json.loads((held / "model.json").read_text())
    assert lineage["model_sha256"] == model_sha256
    assert (lineage["precision"], lineage["pixels"]) == ("float32", "as_before")
    manifest = json.loads(
        s3.get_object(Bucket=BUCKET, Key=f"{key.rpartition('/')[0]}/manifest.json")["Body"].read()
    )
    assert manifest["sha256"] == made.sha256
    assert {name: manifest[name] for name in lineage if name in manifest} == {
        name: lineage[name] for name in ("extractor", "model_sha256", "precision", "pixels")
    }
    assert manifest["wheels"] == [{"name": "grape", "version": "1.0", "sha256": wheel_sha256}]
    assert manifest["settings_digest"] == package_archive.packaged_settings(settings).digest
    assert manifest["code_revision"] == (held / "code" / "REVISION").read_text().strip()
    assert (manifest["python"], manifest["platform"]) == (PYTHON, "linux_x86_64")
    before = keys(s3)
    command(settings)
    assert keys(s3) == before


@pytest.mark.tensorflow
def test_a_package_in_int8_has_the_zip_that_the_runs_read(s3, small, tmp_path):
    unpack_lake(5, tmp_path / "own")
    weights = tmp_path / "own" / "model.tflite"
    words = ("model.extractor=tflite", f"model.weights={weights}")
    with pytest.raises(
        BadInput, match=r"names m5a\.xlarge, whose processor can't run model\.precis"
    ):
        command(load(*words, "model.precision=int8"))
    nodes = ('emr.core=["m6i.xlarge"]', 'emr.task=["m6i.xlarge", "m7i.xlarge"]')
    command(load(*words, *nodes, "model.precision=int8"))
    key = package.latest(OWN).uri.removeprefix(f"s3://{BUCKET}/")
    s3.download_file(BUCKET, key, str(tmp_path / "package.tar.gz"))
    held = tmp_path / "package"
    unpack(tmp_path / "package.tar.gz", held)
    assert {path.name for path in held.iterdir()} == {
        *("code", "site", "settings.toml", "model.zip", "model.json"),
    }
    again = Settings.load(str(held / "settings.toml"), environment={}).model
    assert (again.precision, again.flatbuffer) == ("int8", "package/model.zip")
    path = f"model.flatbuffer={held / 'model.zip'}"
    lineage, content = model_artifact.converted(load(*words, path, "model.precision=int8").model)
    assert lineage.precision == "int8"
    assert model_files.unpacked(content).exact == weights.read_bytes()
    with pytest.raises(BadInput, match="was made for int8, and the settings want float32; make a"):
        model_artifact.converted(load(*words, path).model)


# The flatbuffer in a package


@pytest.fixture
def model(tmp_path):
    """Settings of a model that was converted elsewhere. Its content need not be a flatbuffer."""
    content = b"converted"
    made = Lineage(
        extractor="mobilenet_v2",
        weights="imagenet",
        source_sha256="5" * 64,
        model_sha256=hashlib.sha256(content).hexdigest(),
        precision="float32",
        pixels="as_before",
    )
    (tmp_path / "model.tflite").write_bytes(content)
    (tmp_path / "model.json").write_text(made.json())
    path = f"model.flatbuffer={tmp_path / 'model.tflite'}"
    return load(path, "model.extractor=mobilenet_v2", "model.weights=imagenet").model


def test_a_flatbuffer_of_elsewhere_needs_no_weights(model, monkeypatch):
    monkeypatch.setattr("silver.weights.urlopen", None)
    assert model_artifact.source_sha256(model) == "5" * 64
    lineage, content = model_artifact.converted(model)
    assert (lineage.weights, content) == ("imagenet", b"converted")


def test_a_package_of_earlier_code_is_read_as_it_was_meant(model):
    lineage, _ = model_artifact.read(model)
    before = asdict(lineage)
    before["weights_id"] = before.pop("model_sha256")
    del before["pixels"]
    Path(model.flatbuffer).with_name("model.json").write_text(json.dumps(before))
    assert model_artifact.read(model) == (lineage, b"converted")


@pytest.mark.parametrize("name", ["precision", "pixels"])
def test_a_flatbuffer_runs_in_any_precision_and_way_of_the_settings(model, name):
    other = {"precision": "bfloat16", "pixels": "hamming"}[name]
    assert model_artifact.source_sha256(model.model_copy(update={name: other})) == "5" * 64


def test_a_flatbuffer_of_elsewhere_is_none_in_int8(model):
    with pytest.raises(BadInput, match="was made for float32, and the settings want int8; make a"):
        model_artifact.source_sha256(model.model_copy(update={"precision": "int8"}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": "random:1"}, "with the weights imagenet, and the settings want .* random:1"),
        ({"extractor": "resnet50"}, "is mobilenet_v2 .* settings want resnet50"),
        ({"flatbuffer": "nowhere/model.tflite"}, "nowhere/model.tflite: it or the lineage"),
    ],
)
def test_a_flatbuffer_of_something_else_is_told(model, change, message):
    with pytest.raises(BadInput, match=message):
        model_artifact.source_sha256(model.model_copy(update=change))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.tflite", "another", "was changed: the lineage file beside it"),
        ("model.json", "{}", "it or the lineage beside it can't be read"),
        ("model.json", "no JSON", "it or the lineage beside it can't be read"),
    ],
)
def test_a_flatbuffer_that_was_changed_is_told(model, name, content, message):
    Path(model.flatbuffer).with_name(name).write_text(content)
    with pytest.raises(BadInput, match=message):
        model_artifact.converted(model)


def test_a_lake_is_the_same_whether_the_model_was_converted_before_or_in_the_run(
    empty_lake, tmp_path, spark
):
    here, cluster = (copy(empty_lake, tmp_path / name, spark) for name in ("here", "cluster"))
    lineage, content = model_artifact.convert(here.set(*MODEL).settings.model)
    (tmp_path / "model.tflite").write_bytes(content)
    (tmp_path / "model.json").write_text(lineage.json())
    packaged = f"model.flatbuffer={tmp_path / 'model.tflite'}"
    first = opened(here.set(*MODEL)), opened(cluster.set(*MODEL, packaged))
    again = opened(here.set(*MODEL, packaged)), opened(cluster.set(*MODEL))
    assert again == first
    [(made, row), (given, same)] = first
    assert (made, row) == (given, same)
    identity = ModelIdentity(lineage.model_sha256, Precision.FLOAT32, PixelWay.BICUBIC)
    assert (made, row.reason) == (identity.weights_id, "weights random:3")


def copy(empty_lake, root, spark):
    shutil.copytree(empty_lake.root, root)
    return Place.of(root, spark)


def opened(place):
    """The id of a run's model, and its row without when and by which run it was written."""
    with place.writing() as context:
        weights_id = context.model.weights_id
    held = place.lake.read(catalog.MODELS).drop("created_at", "run_id", "chunk")
    [row] = held.collect()
    return weights_id, row
