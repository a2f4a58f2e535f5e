"""Files beside the tables (markers, model files, staged folders), under the lake root."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from pyarrow import fs

from conf.errors import BadInput


class Folder:
    """A root, and the few things that are done with files under it. `root` is a local folder."""

    def __init__(self, root: str) -> None:
        if "://" in root:
            raise BadInput(f"The lake {root} is no local folder; name a folder.")
        self.root = str(Path(root).absolute())
        self._fs = fs.SubTreeFileSystem(self.root, fs.LocalFileSystem())

    def uri(self, name: str) -> str:
        """What Spark calls `name`."""
        return f"{self.root}/{name}"

    def make(self) -> None:
        """Makes the root. Raises BadInput where that can't be."""
        try:
            Path(self.root).mkdir(parents=True, exist_ok=True)
            probe = f".writable-{id(self)}"
            self._write(probe, b"")
            self._fs.delete_file(probe)
        except OSError as error:
            reason = error.strerror or str(error)
            raise BadInput(
                f"The folder {self.root} can't be written ({reason}); name another for paths.lake (--lake) "
                f"or paths.docs."
            ) from None

    def exists(self, name: str) -> bool:
        """Whether there is a file or folder of that name."""
        return self._fs.get_file_info(name).type is not fs.FileType.NotFound

    def read(self, name: str) -> bytes | None:
        """The bytes of a file; None where there is none."""
        try:
            with self._fs.open_input_stream(name) as stream:
                return bytes(stream.read())
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """A whole file or none: written under another name, then moved."""
        folder = name.rpartition("/")[0]
        if folder:
            self._fs.create_dir(folder)
        self._write(f"{name}.part", content)
        self._fs.move(f"{name}.part", name)

    def swap(self, name: str, content: bytes | None, *, expected: bytes | None) -> bool:
        """Puts `content` in the place of `expected`, or says False where the file holds something else.

        None stands for no file. Of several that try at once, one alone gets True.
        """
        with self._locked(name):
            if self.read(name) != expected:
                return False
            if content is not None:
                self.write(name, content)
            elif expected is not None:
                self._fs.delete_file(name)
            return True

    @contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        """The operating system lets go of the lock when its holder dies."""
        with Path(self.root, f".{name}.lock").open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _write(self, name: str, content: bytes) -> None:
        with self._fs.open_output_stream(name) as stream:
            stream.write(content)

    def read_json(self, name: str) -> Any:
        """A JSON file's value; None where there is none."""
        content = self.read(name)
        return None if content is None else json.loads(content)

    def delete(self, name: str) -> None:
        """Removes a file that is there."""
        self._fs.delete_file(name)

    def delete_folder(self, name: str) -> None:
        """Removes a folder with all that it holds; nothing where there is none."""
        if self.exists(name):
            self._fs.delete_dir(name)

    def copy_folder(self, name: str, to: str) -> None:
        """Copies a folder with all that it holds; what stood there goes first."""
        self.delete_folder(to)
        self._fs.create_dir(to)
        fs.copy_files(name, to, source_filesystem=self._fs, destination_filesystem=self._fs)

    def folders(self, name: str) -> list[str]:
        """Names of the folders right under `name`."""
        return [i.base_name for i in self._under(name) if i.type is fs.FileType.Directory]

    def names(self, name: str, *, suffix: str) -> list[str]:
        """Names of the files right under the folder `name` that end so."""
        return [i.base_name for i in self._under(name) if i.base_name.endswith(suffix)]

    def _under(self, name: str) -> list[fs.FileInfo]:
        found: list[fs.FileInfo] = self._fs.get_file_info(
            fs.FileSelector(name, allow_not_found=True)
        )
        return found


def local_path(uri: str) -> Path:
    """Where a file lies that Spark tells of by its URI."""
    return Path(unquote(urlparse(uri).path))
