"""Lakes that have tombstones alone, made without Spark, each with a key of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from bronze.bronze_layer import _barred
from bronze.bronze_rows import Admission
from bronze.landing import LandingObject, arrival
from conf.settings import Settings
from lake import catalog, lake_format, lease, small_tables
from lake.pseudonyms import Pseudonyms
from lake.run_journal import Run
from lake.storage.folder import Folder
from lake.storage.locate import folder
from lake.subject_names import NameRule
from lake.writable_lake import WritableLake
from privacy import tombstone_files, tombstones

NOW = datetime(2026, 11, 1, 6, tzinfo=UTC)


def no_spark():
    raise AssertionError("Spark was started")


@dataclass
class TombstoneLake:
    """A lake under a root with its key beside it. It knows the keys of the lakes `others`."""

    root: Path
    others: tuple[TombstoneLake, ...] = ()

    @property
    def key(self) -> str:
        return f"file:{self.root}.key"

    @property
    def settings(self) -> Settings:
        known = ", ".join(f'"{each.key}"' for each in self.others)
        overrides = [f"paths.lake={self.root}", f"subjects.tombstone_keys=[{known}]"]
        return Settings.load("local", environment={}, overrides=overrides)

    @property
    def files(self) -> Folder:
        return folder(str(self.root))

    @property
    def keys(self) -> Pseudonyms:
        return lake_format.pseudonyms_of(self.files, self.settings.subjects)

    @classmethod
    def make(cls, root, *, others=(), names=None, key_of=None) -> TombstoneLake:
        """Make a lake with a rule for names (by default that of the settings) and a key of its own, or that
        of another lake."""
        made = cls(root, others)
        root.mkdir()
        if key_of is not None:
            Path(f"{root}.key").write_bytes(Path(f"{key_of.root}.key").read_bytes())
        keys = made.keys
        lake_format.write(made.files, pseudonyms=replace(keys, names=names or keys.names))
        table = catalog.TOMBSTONES
        small_tables.create(str(root), table, catalog.properties(table, made.settings.delta))
        return made

    @contextmanager
    def writing(self) -> Iterator[WritableLake]:
        with lease.held(self.files, run_id="run", seconds=60) as own:
            yield WritableLake(no_spark, self.files, Run("run", "code", "settings"), own)

    @property
    def rows(self):
        """The rows of privacy/tombstones, by tombstone."""
        with self.writing() as lake:
            return {row["tombstone"]: row for row in lake.records(catalog.TOMBSTONES)}

    def erase(self, name, *photos, now=NOW, expires_at=None):
        """Make the tombstones of a subject and of photos' bytes, as an erasure does."""
        keys = self.keys
        made = {keys.tombstone(keys.originals(each)) for each in photos}
        subject = keys.tombstone(keys.subject(name))
        with self.writing() as lake:
            tombstones.make(
                lake, "R-1", subjects=[subject], photos=made, now=now, expires_at=expires_at
            )

    def lift(self, name, *, now):
        """Lift what keeps a subject out; return how many tombstones that were."""
        with self.writing() as lake:
            keeping = self.keys.subject_tombstones([name])
            return sum(tombstones.lift(lake, each, now=now) for each in keeping)

    def exported(self, *, now=NOW):
        """The file of the lake's tombstones."""
        with self.writing() as lake:
            return tombstone_files.exported(lake, self.keys, now=now)[0]

    def take_in(self, content, *, now=NOW):
        """Import a file."""
        file = tombstone_files.opened(
            content, name="FILE", files=self.files, subjects=self.settings.subjects
        )
        with self.writing() as lake:
            return tombstone_files.take_in(lake, self.keys, file, now=now)

    def keeps_out(self, path, content=b"", *, now=NOW):
        """Whether an object that arrives is kept out, by its path, or by its bytes."""
        keys = self.keys
        with self.writing() as lake:
            holding = tombstones.holding(lake, now=now)
        found = arrival(LandingObject(path, len(content), 1), position=0, pseudonyms=keys)
        [found] = _barred([found], pseudonyms=keys, tombstones=holding)
        admission = Admission.of(keys, tombstones=holding)
        original = admission.original(content)
        photo_id = admission.photo_id(content, original=original, subject=found.subject)
        return found.is_tombstoned or admission.keeps_out(
            content, subject=found.subject, photo_id=photo_id, original=original
        )


FORMAT_4 = NameRule.of_record(None)
