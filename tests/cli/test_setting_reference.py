"""The tables of docs/settings.md are what the docstrings of the settings say."""

import runpy

from cli import setting_reference
from conf.setting_schema import fields
from conf.settings import Settings

TEXT = setting_reference.PAGE.read_text(encoding="utf-8")


def test_the_page_is_what_the_settings_say():
    assert setting_reference.page(TEXT) == TEXT, "make docs writes the tables anew"
    for key in fields(Settings):
        assert f"| `{key}` | " in TEXT


def test_a_new_table_leaves_the_rest_of_the_page_alone(monkeypatch):
    monkeypatch.setattr(setting_reference, "markdown", lambda: "### new")
    made = setting_reference.page(TEXT)
    before, after = TEXT.split(setting_reference.BEGIN)[0], TEXT.split(setting_reference.END)[1]
    marks = f"{setting_reference.BEGIN}\n\n### new\n\n{setting_reference.END}"
    assert made == f"{before}{marks}{after}"


def test_the_module_writes_the_page():
    runpy.run_path(setting_reference.__file__, run_name="__main__")
    assert setting_reference.PAGE.read_text(encoding="utf-8") == TEXT
