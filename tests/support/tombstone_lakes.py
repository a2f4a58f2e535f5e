"""Lakes that have tombstones alone, made without Spark, each with a key of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path

from bronze.bronze_rows import Admission
from bronze.landing import LandingObject, arrival
from bronze.new_objects import marker
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
        """The rows of privacy/tombstones, by tombstone; of several requests for one, the last one's."""
        with self.writing() as lake:
            found = lake.records(catalog.TOMBSTONES)
        return {row["tombstone"]: row for row in sorted(found, key=itemgetter("request"))}

    def erase(self, name, *photos, request="R-1", **when):
        """Make the tombstones of a subject and of photos' bytes, as an erasure does."""
        keys = self.keys
        own = keys.subject(name)
        hashes = {(own, keys.originals(each)) for each in photos}
        made = tombstones.of_photos(keys, hashes, with_subjects=False)
        self._make(request, made | {keys.tombstone(own): tombstones.SUBJECT}, **when)

    def erase_photo(self, name, *forms, request="P-1", **when):
        """Make the tombstones of one photo of a subject, or of nobody, as an erasure does: of its bytes as
        they arrived, and then as bronze keeps them."""
        keys = self.keys
        own = name and keys.subject(name)
        hashes = {(own, keys.originals(each)) for each in forms}
        made = tombstones.of_photos(keys, hashes, with_subjects=True)
        asked = keys.tombstone(self.photo_id(name, forms[0]))
        self._make(request, made | {asked: tombstones.PHOTO_ID}, **when)

    def _make(self, request, kinds, *, now=NOW, expires_at=None):
        with self.writing() as lake:
            tombstones.make(lake, request, kinds=kinds, now=now, expires_at=expires_at)

    def photo_id(self, name, content):
        """The id that a photo has here, of a subject or of nobody."""
        keys = self.keys
        own = name and keys.subject(name)
        return keys.photo_ids.of(content, original=keys.originals(content), subject=own)

    def lift_photo(self, name, content, *, now=NOW):
        """Lift what keeps one photo out, by its id; return whether anything did."""
        anchor = self.keys.tombstone(self.photo_id(name, content))
        with self.writing() as lake:
            return tombstones.lift_photo(lake, anchor, now=now)

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
        return bool(self.kept_out([(path, content)], now=now))

    def kept_out(self, objects, *, now=NOW):
        """Those objects, each a path and bytes, that are kept out when they arrive."""
        keys = self.keys
        with self.writing() as lake:
            holding = tombstones.holding(lake, now=now)
        admission = Admission.of(keys, tombstones=holding)
        listed = [LandingObject(path, len(content), 1) for path, content in objects]
        found = [arrival(each, position=0, pseudonyms=keys) for each in listed]
        found = list(map(marker(keys, holding), found))
        return [
            each
            for each, arrived in zip(objects, found, strict=True)
            if arrived.is_tombstoned or is_refused(admission, arrived, each[1])
        ]


def is_refused(admission, arrived, content):
    """Whether a worker refuses the bytes of an object that arrived."""
    original = admission.original(content)
    photo_id = admission.photo_id(content, original=original, subject=arrived.subject)
    return admission.keeps_out(content, arrived, photo_id=photo_id, original=original)


FORMAT_4 = NameRule.of_record(None)
