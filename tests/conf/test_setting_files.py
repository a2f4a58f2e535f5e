"""Settings files of one's own: what they lie over, and every refusal of a file."""

import os

import pytest

from conf.errors import BadSettings
from conf.settings import Settings, load
from emr import package_archive


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The folder in which a user works."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder, **files):
    for name, text in files.items():
        (folder / f"{name}.toml").write_text(text)


def settings(conf, *overrides, environment=None):
    return Settings.load(conf, environment=environment or {}, overrides=overrides)


def refusal(conf, *overrides):
    with pytest.raises(BadSettings) as told:
        settings(conf, *overrides)
    return str(told.value)


def whole(conf, **changes):
    """A whole settings file without a base, as the code before wrote it into packages."""
    text = package_archive.as_toml(settings(conf))
    return text.removeprefix('base = ""\n')


# What a file lies over


def test_a_file_lies_over_the_settings_of_a_laptop(folder):
    write(folder, my="[pca]\nvariance = 0.9\n[spark.config]\n'spark.ui.port' = '1'\n")
    mine, local = settings("my.toml"), settings("local")
    assert (mine.pca.variance, mine.pca.components) == (0.9, None)
    assert mine.spark.config == {**local.spark.config, "spark.ui.port": "1"}
    others = {"pca", "spark"}
    assert mine.model_dump(exclude=others) == local.model_dump(exclude=others)


def test_an_empty_file_changes_nothing(folder):
    write(folder, my="# nothing yet\n")
    assert settings("my.toml") == settings("local")


def test_a_base_is_another_shipped_file(folder):
    write(folder, my="base = 'emr'\n[pca]\ncomponents = 7\n")
    mine, emr = settings("my.toml"), settings("emr")
    assert mine.pca.components == 7
    assert (mine.spark, mine.emr) == (emr.spark, emr.emr)
    assert mine.spark.master is None


def test_a_base_is_a_file_beside_the_one_that_names_it_and_has_a_base_itself(folder):
    (folder / "team").mkdir()
    write(folder / "team", all="base = 'emr'\n[pca]\ncomponents = 7\n[gates]\ncounted_from = 3\n")
    write(folder / "team", paris="base = 'all.toml'\n[pca]\nvariance = 0.5\n")
    write(folder, my="base = 'team/paris.toml'\n[lease]\nseconds = 5\n")
    mine = settings("my.toml", "lease.seconds=6")
    assert (mine.pca.components, mine.pca.variance) == (None, 0.5)
    assert (mine.gates.counted_from, mine.lease.seconds) == (3, 6)
    assert mine.emr == settings("emr").emr


@pytest.mark.parametrize("conf", ["local", "emr"])
def test_a_whole_file_without_a_base_stands_alone_as_before(folder, conf):
    """Packages made before have such a file. Nothing of a laptop's settings may come to their cluster."""
    text = whole(conf).replace('"spark.driver.memory"', '"spark.my.memory"')
    write(folder, my=text)
    mine, before = settings("my.toml"), settings(conf)
    assert "base" not in text
    assert "spark.driver.memory" not in mine.spark.config
    others = {"spark": {"config"}}
    assert mine.model_dump(exclude=others) == before.model_dump(exclude=others)


def test_a_package_s_file_stands_alone():
    assert package_archive.as_toml(settings("emr")).startswith('base = ""\n\n[paths]\n')


def test_a_file_with_an_empty_base_stands_alone(folder):
    write(folder, my=f"base = ''\n{whole('emr')}")
    assert settings("my.toml") == settings("emr")
    write(folder, my="base = ''\n[pca]\ncomponents = 3\n[lease]\n")
    told = refusal("my.toml")
    assert told.startswith(
        "my.toml: the settings lack [paths], [subjects], [spark], [delta], lease."
    )
    assert told.endswith('; add what is missing, or take it from base = "local" at the top.')


def test_a_cluster_s_file_that_is_not_whole_must_name_its_base(folder):
    write(folder, my=whole("emr").replace("[lease]\nseconds = 60.0\n", ""))
    told = 'my.toml: a section [emr] needs a base; write base = "emr" at the top, as base = "local" would'
    assert refusal("my.toml").startswith(told)
    write(folder, my=f"base = 'emr'\n{(folder / 'my.toml').read_text()}")
    assert settings("my.toml") == settings("emr")


def test_a_file_may_have_any_name(folder):
    (folder / "my.settings").write_text("[pca]\ncomponents = 3\n")
    (folder / "local").mkdir()
    assert settings("my.settings").pca.components == 3
    assert settings("local").pca.components == 20


def test_a_file_of_windows_is_read(folder):
    (folder / "my.toml").write_bytes(b"\xef\xbb\xbf[pca]\r\ncomponents = 3\r\n")
    assert settings("my.toml").pca.components == 3


# Files that are none


@pytest.mark.parametrize(
    ("conf", "told"),
    [
        ("nope.toml", "there is no such file; name emr, local or a TOML file."),
        ("folder/nope", "there is no such file; name emr, local or a TOML file."),
        ("myy.toml", "there is no such file; did you mean my.toml?"),
        ("my", "there are no settings my; did you mean my.toml?"),
        ("emrr", "there are no settings emrr; did you mean emr?"),
        ("local.toml", "there is no such file; did you mean local?"),
        ("prices", "there are no settings prices; name emr, local or a TOML file."),
        ("", "there are no settings without a name; name emr, local or a TOML file."),
        ("folder", "this is a folder; name a TOML file in it."),
        ("pipe", "this is no plain file; save its text to one."),
        ("/proc/self/mem", "the file can't be read (Input/output error); make it readable."),
        ("x" * 300, "the file can't be read (File name too long); make it readable."),
        ("bytes.toml", "the file is no text in UTF-8; save it as such."),
    ],
)
def test_what_is_no_file_is_told(folder, conf, told):
    write(folder, my="")
    (folder / "folder").mkdir()
    (folder / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    os.mkfifo(folder / "pipe")
    assert refusal(conf) == f"--conf {conf}: {told}"


@pytest.mark.parametrize(
    ("base", "told"),
    [
        ("'emrr'", "base = 'emrr': there are no settings emrr; did you mean emr?"),
        ("'no.toml'", "base = 'no.toml': there is no such file; name emr, local or a TOML file."),
        ("'.'", "base = '.': this is a folder; name a TOML file in it."),
        ("3", 'base is no text; write base = "local" or the path of a file in quotes.'),
    ],
)
def test_what_is_no_base_is_told_with_the_file_that_names_it(folder, base, told):
    write(folder, my=f"base = {base}\n")
    assert refusal("my.toml") == f"my.toml: {told}"


def test_a_circle_of_bases_is_one_sentence(folder):
    (folder / "sub").mkdir()
    write(folder, a="base = 'sub/b.toml'\n")
    write(folder / "sub", b="base = '../a.toml'\n")
    told = (
        "a.toml → sub/b.toml → sub/../a.toml: each is the base of the one before; take a base out."
    )
    assert refusal("a.toml") == told
    write(folder, a="base = 'a.toml'\n")
    assert refusal("a.toml").startswith("a.toml → a.toml: ")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[paths\n", "in line 1 a [section] has no closing bracket; add it."),
        (
            "\n[pca]\n[pca]\n",
            "in line 3 a [section] stands there for the second time; join the two.",
        ),
        (
            "[pca]\nscale = true\nscale = true\n#\n",
            "in line 3 a key stands there for the second time; keep one of them.",
        ),
        (
            "[paths]\nlake = data/lake\n",
            "in line 2 a value isn't valid; write a text in quotes, and true or false in small letters.",
        ),
        ("[paths]\nlake\n", "in line 2 a key has no value; write KEY = VALUE."),
        (
            "[paths]\nlake = 'a\n",
            "in its last line a text doesn't end in its line; close its quotes.",
        ),
        (
            '[paths]\nlake = "C:\\data"\n',
            "in line 2 a text has a single \\ in it; write \\\\, or the text in 'single quotes'.",
        ),
        ("a = 1 2\n", "in line 1 a value has something behind it; a text stands in quotes, a"),
        ('[paths]\nlake = "a\n', "in line 2 a text doesn't end in its line; close its quotes."),
        ("= 1\n", "line 1 can't be understood (Invalid statement); put it right."),
    ],
)
def test_what_is_no_toml_is_told_with_its_line(folder, text, told):
    write(folder, my=text)
    assert refusal("my.toml").startswith(f"my.toml: not valid TOML: {told}")


# What a file holds


def test_everything_wrong_in_a_file_is_told_at_once(folder):
    text = "lake = 'x'\npca = 3\n[paths]\nlanding = 5\nlak = 'x'\n[gates.refused_share]\nx = 1\n"
    text += "[silver]\nbach = 3\nx = 4\n[[lease]]\nseconds = 3\n[buckets]\nprivate = 'no way'\n"
    text += "[spark]\nconfig = 3\n[chunks]\nmax_bytes = true\n"
    write(folder, my=text)
    head, *lines = refusal("my.toml", "refit.growth=0").splitlines()
    sections = ", ".join(Settings.model_fields)
    assert head == "The settings have 11 errors; put each right:"
    assert lines == [
        "  my.toml: unknown key lake; did you mean paths.lake?",
        "  my.toml: pca is a section; write its keys below a line [pca]: components, variance, scale.",
        "  my.toml: unknown key paths.lak; did you mean paths.lake?",
        "  my.toml: gates.refused_share is a setting and no section; write refused_share = VALUE.",
        f"  my.toml: there is no section silver; the sections are {sections}.",
        "  my.toml: lease is a section; write its keys below a line [lease]: seconds.",
        '  my.toml: spark.config is a table of Spark\'s own keys; set one: spark.config.KEY = "VALUE".',
        "  my.toml: paths.landing = 5: give a text in quotes.",
        "  --set refit.growth = 0: give a number above 0.",
        "  my.toml: buckets.private = 'no way': give true or false.",
        "  my.toml: chunks.max_bytes = true: give a whole number above 0.",
    ]


def test_what_is_wrong_beside_a_missing_file_is_told_too(folder):
    told = refusal("nope.toml", "pca.components=x", "silver.x=1").splitlines()
    assert [line.partition(":")[0] for line in told[1:]] == [
        "  --conf nope.toml",
        "  --set silver.x",
        "  --set pca.components = 'x'",
    ]


def test_a_base_in_a_section_is_told_where_it_belongs(folder):
    write(folder, my="[pca]\nbase = 'emr'\n")
    assert refusal("my.toml").startswith(
        "my.toml: base stands in a settings file alone, at its top;"
    )


def test_one_file_sets_one_target_of_a_pca(folder):
    write(folder, my="[pca]\ncomponents = 3\nvariance = 0.5\n")
    told = "my.toml: both pca.components and pca.variance are set; set one of them."
    assert refusal("my.toml") == told
    assert settings("my.toml", "pca.variance=0.4").pca.variance == 0.4
    text = whole("local").replace("components = 20\n", "")
    write(folder, my=text)
    assert refusal("my.toml") == told.replace("both", "neither").replace("and", "nor").replace(
        "are", "is"
    )


def test_keys_of_spark_may_stand_without_quotes(folder):
    write(folder, my="[spark.config]\nspark.ui.port = '1'\n")
    assert settings("my.toml").spark.config["spark.ui.port"] == "1"
    write(folder, my="[spark.config]\nspark.ui.port = 1\nspark.my.password = 12345678\n")
    told = refusal("my.toml").splitlines()
    assert told[1:] == [
        "  my.toml: spark.config.spark.ui.port = 1: give a text in quotes.",
        "  my.toml: spark.config.spark.my.password: give a text in quotes.",
    ]


def test_each_value_has_its_source(folder):
    write(folder, team="[pca]\ncomponents = 3\n[gates]\ncounted_from = 3\n")
    write(folder, my="base = 'team.toml'\n[pca]\nvariance = 0.4\n")
    environment = {"FRUIT_LAKE__PATHS__LAKE": "x"}
    loaded = load("my.toml", environment=environment, overrides=["spark.config.spark.a=b"])
    named = {key: source.name for key, source in loaded.origins.items() if source.name != "local"}
    assert named == {
        "pca.variance": "my.toml",
        "gates.counted_from": "team.toml",
        "paths.lake": "FRUIT_LAKE__PATHS__LAKE",
        "spark.config.spark.a": "--set",
    }
    assert loaded.lowest.name == "local"
    assert loaded.origins["lease.seconds"] == loaded.lowest
