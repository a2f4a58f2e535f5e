"""Verification: a search for data of an erased subject in every store. It relies on no command's own report.

The storage itself is listed, and Delta is not asked. The columns with keys and with text of every Parquet
file are read, whether a version refers to the file or not, and the bytes of every other file, unpacked where
it is a container. With `deep` every column is decoded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from conf.settings import Settings
from gold.model_versions import WIPED
from lake import catalog, working_files
from lake.enums import ErasureState
from lake.readable_lake import Lake
from lake.storage.addresses import within
from lake.storage.folder import Folder, StoredKind, StoredObject
from lake.storage.locate import folder
from lake.subject_names import normalised
from privacy.erasure import landing_objects, unreferenced_files
from privacy.erasure.erasure_request import ErasureRequest
from privacy.erasure.file_search import FileSearch
from privacy.erasure.landing_objects import KnownObjects
from privacy.erasure.name_forms import NameForms
from privacy.erasure.subject_matcher import SubjectMatcher


@dataclass(frozen=True)
class Residue:
    """A trace of the subject: the file (or model version) that holds it, and what was found in it.

    The path may hold a name in clear, so it is for the screen and for no table.
    """

    path: str
    what: str

    def __str__(self) -> str:
        return f"{self.path} ({self.what})"


@dataclass(frozen=True)
class UndecodedFile:
    """A file that can't be decoded, or not all of it: its store, its path, and `what` it is."""

    store: str
    path: str
    what: str

    def __str__(self) -> str:
        return f"{self.path} ({self.what})"


@dataclass
class SearchResult:
    """The result of a verification: the number of files and bytes that were searched, by store, the residues
    that were found, the `mentions` of the bare name, and what can't be decoded.

    `mentions` is None where the name was not known in clear.
    """

    deep: bool
    files: dict[str, int] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)
    residues: list[Residue] = field(default_factory=list)
    mentions: list[str] | None = None
    undecoded: list[UndecodedFile] = field(default_factory=list)

    def count_file(self, store: str, size: int) -> None:
        """Count a file of `size` bytes as searched."""
        self.files[store] = self.files.get(store, 0) + 1
        self.bytes[store] = self.bytes.get(store, 0) + size

    def add_residue(self, path: StoredObject | str, what: str) -> None:
        """Add a residue: where it was found, and what it is."""
        self.residues.append(Residue(str(path), what))


def verify(
    lake: Lake,
    settings: Settings,
    erasure: ErasureRequest,
    search: SubjectMatcher,
    *,
    deep: bool = False,
    name: str | None = None,
) -> SearchResult:
    """Search the landing folder, the lake, Data Docs and this machine's working files for what is left.

    `search` identifies the subject of the request `erasure`. `name` is the subject's name in clear, where the
    command knows it: then it is also searched where no word `subject` stands before it. The landing folder is
    searched by its paths, because the photos in it are other people's. A name of white space alone, as a lake
    of format 4 may have, stands everywhere and is not searched bare.
    """
    name = name if normalised(name or "") else None
    result = SearchResult(deep, mentions=None if name is None else [])
    _search_landing(lake, settings, search, result)
    stores: dict[str, Iterable[StoredObject]] = {"lake": _files_of(lake.files)}
    if not within(settings.paths.docs_folder, lake.files.root):
        stores["docs"] = _files_of(folder(settings.paths.docs_folder))
    stores["working files"] = _working_files()
    files = FileSearch(search, NameForms(name) if name is not None else None, deep)
    for store, every in stores.items():
        for stored in every:
            _search_file(stored, files, result, store=store)
    _search_models(lake, erasure, result)
    return result


def _search_landing(
    lake: Lake, settings: Settings, search: SubjectMatcher, result: SearchResult
) -> None:
    """Count every landing object, and add those of the subject to the residues."""
    root = settings.paths.landing
    for stored in folder(root).stored():
        if stored.has_content:
            result.count_file("landing", stored.size)
    unread: list[StoredObject] = []
    for stored in landing_objects.found(
        root, search, KnownObjects.of(lake, search), deep=result.deep, unread=unread
    ):
        if not landing_objects.is_of_others(stored):
            result.add_residue(stored, "a landing object or folder of the subject")
    for stored in unread:
        result.add_residue(stored, "it can't be read, so it may be a copy")


def _files_of(root: Folder, under: str = "") -> Iterator[StoredObject]:
    """Yield what lies under a folder, but no folders. A link to one is not followed: it can't be read."""
    for stored in root.stored(under, folders=True):
        if stored.kind is not StoredKind.FOLDER:
            yield stored


def _working_files() -> Iterator[StoredObject]:
    """Yield the files that killed processes of this product left on this machine."""
    place = folder(str(working_files.place()))
    try:
        left = working_files.left_behind()
    except OSError:
        yield StoredObject(place, "", kind=StoredKind.CLOSED)
        return
    for path in left:
        if path.is_dir():
            yield from _files_of(place, path.name)
        else:
            with suppress(FileNotFoundError):  # a run has removed it meanwhile
                yield StoredObject(place, path.name, path.lstat().st_size)


def _search_file(
    stored: StoredObject, search: FileSearch, result: SearchResult, *, store: str
) -> None:
    """Search the name and the content of one file. A file that can't be read counts as a residue."""
    if stored.kind is StoredKind.CLOSED:
        result.add_residue(stored, "a folder that can't be listed")
        return
    found = search.of_name(stored.name)
    residue = found.residue
    try:
        if stored.has_content:
            result.count_file(store, stored.size)
            in_content = search.of(stored)
            residue = residue or in_content.residue
            found.mention |= in_content.mention
            result.undecoded += [
                UndecodedFile(store, str(stored), what) for what in in_content.undecoded
            ]
    except FileNotFoundError:
        return  # it vanished since it was listed, as the lease's file does at each renewal
    except OSError as error:
        residue = f"it can't be read: {error.strerror or error}"
    if residue:
        result.add_residue(stored, residue)
    if found.mention and result.mentions is not None:
        result.mentions.append(str(stored))


def _search_models(lake: Lake, erasure: ErasureRequest, result: SearchResult) -> None:
    """Search gold/models and older files for what was made of the erased photos.

    What was written after the certificate was not made of them.
    """
    is_done = erasure.has_reached(ErasureState.CERTIFIED)
    for table in erasure.tables_made_of_photos:
        for stored in unreferenced_files.strays(lake, table):
            is_later = is_done and stored.modified_ns > erasure.at.timestamp() * 1e9
            if stored.name.endswith(".parquet") and stored.has_content and not is_later:
                result.add_residue(stored, "an older version of what was made of the photos")
    where = pc.field("version").isin(pa.array(erasure.fitted, pa.string()))
    for row in lake.records(catalog.MODELS, columns=["version", *WIPED], where=where):
        if any(row[name] is not None for name in WIPED):
            what = "a model version with parameters fitted on the photos"
            result.add_residue(row["version"], what)
