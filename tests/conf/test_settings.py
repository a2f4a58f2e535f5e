"""Settings: files, environment and flags, in that order, and every refusal."""

import tomllib

import pytest

from conf import setting_files, setting_schema
from conf.errors import BadSettings
from conf.section import Section
from conf.settings import Settings

SECTIONS = list(Settings.model_fields)


def load(*overrides, conf="local", environment=None):
    return Settings.load(conf, environment=environment or {}, overrides=overrides)


def refusal(*overrides, conf="local", environment=None):
    with pytest.raises(BadSettings) as told:
        load(*overrides, conf=conf, environment=environment)
    return str(told.value)


@pytest.mark.parametrize("conf", ["local", "emr"])
def test_the_shipped_settings_are_valid(conf):
    assert load(conf=conf).gates.refused_share == 0.5


@pytest.mark.parametrize("conf", ["local", "emr"])
def test_the_shipped_settings_stand_alone(conf):
    """A laptop's settings of Spark must not come to a cluster, also where emr.toml loses a line."""
    values = tomllib.loads((setting_files.HERE / f"{conf}.toml").read_text())
    assert "base" not in values
    assert setting_schema.lacking(Settings, values) == {}


def test_a_shipped_file_that_loses_a_line_takes_nothing_from_another(tmp_path, monkeypatch):
    for name in ("local", "emr"):
        text = (setting_files.HERE / f"{name}.toml").read_text()
        (tmp_path / f"{name}.toml").write_text(text.replace("small_files = 50\n", ""))
    monkeypatch.setattr(setting_files, "HERE", tmp_path)
    told = f"{tmp_path}/emr.toml: the settings lack compaction.small_files; add what is missing."
    assert refusal(conf="emr") == told


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
    assert load("pca.variance=0.98", "pca.components=3").pca.components == 3


def test_spark_settings_are_handed_through():
    assert load("spark.config.spark.ui.port=1").spark.config["spark.ui.port"] == "1"
    assert load('spark.config={"spark.ui.port"="1"}').spark.config.keys() > {"spark.ui.port"}


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("pca.componets=3", "unknown key pca.componets; did you mean pca.components?"),
        ("gates.refused=1", "unknown key gates.refused; did you mean gates.refused_share?"),
        ("model.extracto=x", "unknown key model.extracto; did you mean model.extractor?"),
        ("silver.bach=3", "there is no section silver; the sections are paths, subjects, spark,"),
        ("silver=3", "there is no section silver; the sections are paths, subjects, spark,"),
        ("path.lake=x", "unknown key path.lake; did you mean paths.lake?"),
        ("path.x=x", "unknown key path.x; did you mean paths?"),
        ("lake=x", "unknown key lake; did you mean paths.lake?"),
        ("pca.extractor=x", "unknown key pca.extractor; did you mean model.extractor?"),
        ("pca.xyzw=x", "unknown key pca.xyzw; the keys of pca are components, variance, scale."),
        ("pca.components.x=4", "unknown key pca.components.x; did you mean pca.components?"),
        (
            "spark.driver.memory=4g",
            "unknown key spark.driver.memory; did you mean spark.config.spark.driver.memory?",
        ),
        ("pca=3", "pca is a section and no setting; set one of its keys: components, variance,"),
        ("base=emr", "base stands in a settings file alone, at its top; name other settings with"),
    ],
)
def test_an_unknown_key_is_told_with_what_is_near_to_it(override, told):
    key = override.partition("=")[0]
    assert refusal(override).startswith(f"--set {key}: {told}")


@pytest.mark.parametrize("override", ["pca.components", "=3", " =3"])
def test_an_override_without_a_key_and_a_value_is_refused(override):
    assert refusal(override) == f"--set {override}: write it as section.key=value."


@pytest.mark.parametrize(
    ("variable", "told"),
    [
        ("FRUIT_LAKE__PATH__LAKE", ": unknown key path.lake; did you mean FRUIT_LAKE__PATHS__LAKE"),
        ("FRUIT_LAKE__SILVER__X", ": there is no section silver; the sections are paths, subjects"),
        ("FRUIT_LAKE__PCA", ": pca is a section and no setting; set one of its keys: components, "),
        ("FRUIT_LAKE__PCA__COMPONENTS", " = 'x': give a whole number above 0."),
        ("FRUIT_LAKE_PATHS_LAKE", ": write it as FRUIT_LAKE__PATHS__LAKE, with two _ between"),
    ],
)
def test_a_variable_is_refused_by_its_name(variable, told):
    assert refusal(environment={variable: "x"}).startswith(f"{variable}{told}")


def test_other_variables_are_left_alone():
    assert load(environment={"FRUIT_LAKE_SUBJECT_KEY": "x", "FRUIT_LAKES": "y"}) == load()


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("pca.components=x", "pca.components = 'x': give a whole number above 0."),
        ("pca.components=0", "pca.components = 0: give a whole number above 0."),
        ("pca.components=true", "pca.components = true: give a whole number above 0."),
        ("gates.refused_share=2", "gates.refused_share = 2: give a number above 0 and at most 1."),
        ("photos.blank_range=300", "photos.blank_range = 300: give a whole number from 0 to 255."),
        ("training.folds=1", "training.folds = 1: give a whole number of at least 2."),
        ("lease.seconds=0", "lease.seconds = 0: give a number above 0."),
        ("pca.scale=5", "pca.scale = 5: give true or false."),
        ("buckets.encryption=no", "buckets.encryption = 'no': give kms, any or none."),
        (
            "buckets.regions=[]",
            'buckets.regions = []: give a list of texts with at least one entry, such as ["one", "two"].',
        ),
        (
            'buckets.regions=["x", 5]',
            'buckets.regions = ["x", 5]: give a list of texts with at least one entry, such as ["one", '
            '"two"].',
        ),
        (
            "retention.photos=3 yrs",
            'retention.photos = \'3 yrs\': give an age such as "90 days" or "3 years", or an empty text, '
            "which means: kept for good.",
        ),
        (
            "monitoring.topic=x",
            "monitoring.topic = 'x': give the ARN of an SNS topic (arn:aws:sns:…), or an empty text.",
        ),
        (
            "spark.config=x",
            "spark.config is a table of Spark's own keys; set one: spark.config.KEY = \"",
        ),
    ],
)
def test_a_bad_value_is_told_with_what_to_give(override, told):
    assert refusal(override).startswith(f"--set {told}")


def test_a_long_value_is_cut():
    assert len(refusal(f"pca.components={'x' * 5000}")) < 150


def test_a_cluster_s_setting_needs_the_others():
    told = refusal("emr.name=mine")
    assert told.startswith("--set emr: the settings lack emr.region, emr.release, emr.artifacts, ")
    assert told.endswith("; use --conf emr, which has them.")


def test_all_that_is_wrong_is_told_at_once():
    environment = {"FRUIT_LAKE__REFIT__PROMOTE": "maybe"}
    told = refusal("silver.x=1", "pca.componets=3", "pca.components=x", environment=environment)
    assert told.splitlines() == [
        "The settings have 4 errors; put each right:",
        f"  --set silver.x: there is no section silver; the sections are {', '.join(SECTIONS)}.",
        "  --set pca.componets: unknown key pca.componets; did you mean pca.components?",
        "  --set pca.components = 'x': give a whole number above 0.",
        "  FRUIT_LAKE__REFIT__PROMOTE = 'maybe': give true or false.",
    ]


@pytest.mark.parametrize(
    "override",
    [
        "subjects.key={hush = 1}",
        'spark.config={"spark.my.password" = 12345678}',
        'buckets.encryption="https://me:12345678@host"',
    ],
)
def test_no_message_shows_a_secret(override):
    with pytest.raises(BadSettings) as told:
        load(override, "pca.components=0")
    assert "hush" not in str(told.value)
    assert "12345678" not in str(told.value)


def test_the_digest_tells_settings_apart():
    assert load().digest == load().digest != load("pca.components=6").digest


def test_a_list_and_a_version_are_set_as_toml_writes_them():
    settings = load('emr.subnets=["subnet-1", "subnet-2"]', "emr.python=3.12", conf="emr")
    assert settings.emr.subnets == ("subnet-1", "subnet-2")
    assert settings.emr.python == "3.12"


def test_a_section_that_may_be_left_out_is_known_all_the_same():
    assert load().emr is None
    assert "unknown key emr.subnet; did you mean emr.subnets?" in refusal("emr.subnet=x")


def test_every_setting_has_a_meaning_and_a_form():
    described = setting_schema.sections(Settings) | setting_schema.fields(Settings)
    for name, each in described.items():
        assert setting_schema.meaning(each).endswith("."), name
        assert setting_schema.meaning(each) != " ".join(Section.__doc__.split()), name
    for name, field in setting_schema.fields(Settings).items():
        assert setting_schema.form(field), name
