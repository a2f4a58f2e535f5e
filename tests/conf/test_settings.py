"""Settings: files, environment and flags, in that order, and every refusal."""

import pytest

from conf.errors import BadSettings
from conf.settings import Settings


def load(*overrides, conf="local", environment=None):
    return Settings.load(conf, environment=environment or {}, overrides=overrides)


@pytest.mark.parametrize("conf", ["local", "emr"])
def test_the_shipped_settings_are_valid(conf):
    assert load(conf=conf).gates.refused_share == 0.5


def test_the_environment_goes_over_the_file_and_flags_over_both():
    environment = {"FRUIT_LAKE__PATHS__LANDING": "from-environment", "FRUIT_LAKE__PATHS__LAKE": "x"}
    settings = load("paths.lake=from-flag", environment=environment)
    assert (settings.paths.landing, settings.paths.lake) == ("from-environment", "from-flag")


@pytest.mark.parametrize(
    ("override", "section", "key", "value"),
    [
        ("pca.components=6", "pca", "components", 6),
        ("gates.refused_share=0.25", "gates", "refused_share", 0.25),
        ("pca.scale=true", "pca", "scale", True),
        ("model.weights=random:7", "model", "weights", "random:7"),
        ("paths.lake=2026", "paths", "lake", "2026"),
    ],
)
def test_values_come_as_their_type(override, section, key, value):
    assert getattr(getattr(load(override), section), key) == value


def test_a_variance_target_takes_the_place_of_components():
    pca = load("pca.variance=0.98").pca
    assert (pca.variance, pca.components) == (0.98, None)


def test_spark_settings_are_handed_through():
    assert load("spark.config.spark.ui.port=1").spark.config["spark.ui.port"] == "1"


@pytest.mark.parametrize(
    ("overrides", "environment", "message"),
    [
        (["pca.componets=3"], {}, r"unknown key pca.componets; did you mean pca.components\?"),
        (["gates.refused=1"], {}, r"did you mean gates.refused_share\?"),
        (["pca.components"], {}, "write it as section.key=value"),
        (["pca.components=0"], {}, "pca.components = 0: Input should be greater than 0"),
        (["gates.refused_share=2"], {}, "gates.refused_share = 2"),
        (["pca.components=many"], {}, "pca.components = 'many'"),
        (
            [],
            {"FRUIT_LAKE__PATH__LAKE": "x"},
            r"FRUIT_LAKE__PATH__LAKE: .* did you mean paths.lake",
        ),
    ],
)
def test_bad_values_are_refused(overrides, environment, message):
    with pytest.raises(BadSettings, match=message):
        load(*overrides, environment=environment)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[paths\n", "not valid TOML"),
        ("[paths]\nlandings = 'x'\n", r"unknown key paths.landings; did you mean paths.landing\?"),
        ("[paths]\nlanding = 'x'\n", "the settings lack paths.lake"),
        ("[pca]\ncomponents = 3\nvariance = 0.5\n", "lack paths|not both"),
    ],
)
def test_bad_files_are_refused(tmp_path, text, message):
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(BadSettings, match=message):
        load(conf=str(path))


def test_an_unknown_conf_is_refused_with_those_known():
    with pytest.raises(BadSettings, match="no such settings; name one of emr, local"):
        load(conf="lokal")


def test_the_digest_tells_settings_apart():
    assert load().digest == load().digest != load("pca.components=6").digest


def test_a_list_and_a_version_are_set_as_toml_writes_them():
    settings = load('emr.subnets=["subnet-1", "subnet-2"]', "emr.python=3.12", conf="emr")
    assert settings.emr.subnets == ("subnet-1", "subnet-2")
    assert settings.emr.python == "3.12"


def test_a_section_that_may_be_left_out_is_known_all_the_same():
    assert load().emr is None
    with pytest.raises(BadSettings, match=r"unknown key emr\.subnet; did you mean emr\.subnets\?"):
        load("emr.subnet=x")
