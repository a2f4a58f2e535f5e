"""The forms that one name, which is known in clear, may take in bytes.

They are each case and form of Unicode, in UTF-8, UTF-16 and Windows-1252 (which holds Latin-1's letters),
percent-encoded, and with the escapes of JSON, JavaScript, Python and HTML.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from html.entities import codepoint2name

from lake.look_alikes import APOSTROPHES, DASHES
from lake.subject_names import decoded, stripped

SPACE_FORMS = (
    *(rb"\s+", rb"\xc2?\xa0", rb"\+", rb"_", rb"%(?:25)*20", rb"%(?:25)*[cC]2%(?:25)*[aA]0"),
    *(rb"\\+u00(?:20|[aA]0)", rb"\\+x20", rb"\\+[tn]"),
    *(rb"&nbsp;", rb"&#0*(?:32|160);", rb"&#[xX]0*(?:20|[aA]0);"),
)

BEFORE = (
    rb"(?:(?<![A-Za-z])|(?<=%[0-9A-Fa-f]{2})|(?<=%25[0-9A-Fa-f]{2})|(?<=\\[nrtbf])"
    rb"|(?<=[\\%]u[0-9A-Fa-f]{4})|(?<=\\x[0-9A-Fa-f]{2}))"
)
BEHIND = rb"(?![A-Za-z])"
BEFORE_WIDE = {"utf-16-le": rb"(?<![A-Za-z]\x00)", "utf-16-be": rb"(?<!\x00[A-Za-z])"}
BEHIND_WIDE = {"utf-16-le": rb"(?![A-Za-z]\x00)", "utf-16-be": rb"(?!\x00[A-Za-z])"}

SURE = 5
"""From so many bytes on a match is no chance in bytes that are no text."""

NEIGHBOURS = 8
"""The bytes on each side of a shorter match of which most must be text."""

LATIN = "\u024f"
"""The last letter of the Latin alphabets in Unicode."""

SHORTEST = 3
"""A name of fewer letters is taken for one only where it stands as a word, also in an id of a request."""


ASCII_RUN = re.compile(r"[A-Za-z0-9]+")


class NameForms:
    """The search for one name in bytes, as a word: no letter from A to Z stands right before or behind it.

    Whether a name is meant, or a word that is spelled like it, nobody can tell from bytes.
    """

    def __init__(self, name: str) -> None:
        text = stripped(decoded(name))
        single = b"".join(map(_forms, text))
        wide = b"|".join(
            BEFORE_WIDE[encoding]
            + b"".join(_wide_forms(each, encoding) for each in text)
            + BEHIND_WIDE[encoding]
            for encoding in BEFORE_WIDE
        )
        self._anywhere = re.compile(single + b"|" + wide)
        self._words = re.compile(BEFORE + single + BEHIND + b"|" + wide)
        self._is_short = len(text) < SHORTEST
        begin = ASCII_RUN.match(text)
        letters = begin[0] if begin else text[0]
        self._plain = _plain_beginnings(letters)
        self._escapes = _escapes(letters)
        self._around = 32 * len(text) + 64

    def __repr__(self) -> str:
        return "NameForms(…)"

    def in_bytes(self, content: bytes) -> bool:
        """Return whether the name stands in bytes, as a word. Short forms must stand in text."""
        return any(
            match.end() - match.start() >= SURE or _is_text_around(content, match)
            for match in self._found(content)
        )

    def in_id(self, text: str) -> bool:
        """Return whether a text such as the id of a request holds the name, also as a part of a word."""
        pattern = self._words if self._is_short else self._anywhere
        return pattern.search(text.encode(errors="surrogateescape")) is not None

    def _found(self, content: bytes) -> Iterator[re.Match[bytes]]:
        """Yield where the name stands. The whole pattern is slow, so it is tried where the name may begin."""
        lower = content.lower()
        for beginning in self._plain:
            at = lower.find(beginning)
            while at >= 0:
                for start in (at, at - 1) if at else (0,):
                    if match := self._words.match(content, start):
                        yield match
                at = lower.find(beginning, at + 1)
        for escape in self._escapes:
            done = 0
            for found in escape.finditer(content):
                if found.start() >= done:
                    start, done = max(found.start() - self._around, 0), found.end() + self._around
                    yield from self._words.finditer(content, start, done + self._around)


def _plain_beginnings(letters: str) -> list[bytes]:
    """Return the first letters of a name without escapes, by encoding; those of ASCII in lower case."""
    texts = [letters] if letters.isascii() else _variants(letters)
    found: dict[bytes, None] = {}
    for text in texts:
        found |= {text.encode(errors="surrogateescape").lower(): None}
        found |= {text.encode("utf-16-le", "surrogatepass").lower().rstrip(b"\0"): None}
        found |= {text.encode("utf-16-be", "surrogatepass").lower().lstrip(b"\0"): None}
        if western := _western(text):
            found |= {western.lower(): None}
    return list(found)


def _escapes(letters: str) -> list[re.Pattern[bytes]]:
    """Return patterns for the beginnings of all escapes of some letters. Each begins with one certain byte,
    so that it is fast."""
    texts = [text for letter in letters for text in _variants(letter)]
    contents = [text.encode(errors="surrogateescape") for text in texts]
    contents += [western for text in texts if len(text) == 1 and (western := _western(text))]
    codes = b"|".join({_hex(content[0], 2) for content in contents})
    units = b"|".join(
        {_hex(int.from_bytes(text.encode("utf-16-be", "surrogatepass")[:2]), 4) for text in texts}
    )
    return [
        re.compile(rb"%%(?:25)*(?:%s|u(?:%s))" % (codes, units)),
        re.compile(rb"\\(?:x(?:%s)|u(?:%s)|['\"])" % (codes, units)),
        re.compile(rb"&(?:#[xX0-9]|[A-Za-z]{2,8};)"),
    ]


def _forms(letter: str) -> bytes:
    """Return the pattern of one character in bytes of ASCII, UTF-8 or Windows-1252."""
    if letter.isspace():
        return b"(?:" + b"|".join(SPACE_FORMS) + b")"
    patterns = []
    for text in _variants(letter):
        forms = _encoded(text)
        patterns += [form for form in forms if form not in patterns]
    # The bytes that stand for themselves come first: they are the most frequent.
    return b"(?:" + b"|".join(patterns) + b")"


def _wide_forms(letter: str, encoding: str) -> bytes:
    """Return the pattern of one character in UTF-16."""
    texts = (" ", "\u00a0") if letter.isspace() else _variants(letter)
    return (
        b"(?:"
        + b"|".join(re.escape(text.encode(encoding, "surrogatepass")) for text in texts)
        + b")"
    )


def _variants(letter: str) -> list[str]:
    """Return the texts that a person would call the same character: cases, and both forms of Unicode."""
    alike = next((group for group in (APOSTROPHES, DASHES) if letter in group), letter)
    texts: dict[str, None] = {}
    for each in alike:
        for cased in (each, each.lower(), each.upper(), each.casefold(), each.title()):
            for form in ("NFC", "NFD"):
                texts[unicodedata.normalize(form, cased)] = None
    return list(texts)


def _encoded(text: str) -> list[bytes]:
    """Return the patterns of a text by each encoding of bytes, and by each escape."""
    if len(text) > 1:
        return [b"".join(b"(?:" + b"|".join(_encoded(each)) + b")" for each in text)]
    content = text.encode(errors="surrogateescape")
    patterns = [re.escape(content)]
    contents = [content]
    if text > "\x7f" and (western := _western(text)):
        patterns.append(re.escape(western))
        contents.append(western)
    for each in contents:
        patterns.append(b"".join(rb"%%(?:25)*%s" % _hex(byte, 2) for byte in each))
        patterns.append(b"".join(rb"\\+x%s" % _hex(byte, 2) for byte in each))
    units = text.encode("utf-16-be", "surrogatepass")
    pairs = [_hex(int.from_bytes(units[at : at + 2]), 4) for at in range(0, len(units), 2)]
    patterns.append(b"".join(rb"\\+u%s" % unit for unit in pairs))
    patterns.append(b"".join(rb"%%(?:25)*u%s" % unit for unit in pairs))
    patterns.append(_entity(text))
    if text in ("'", '"', "\\"):
        patterns.append(rb"\\+" + re.escape(content))
    return patterns


def _western(text: str) -> bytes:
    """Return a text in Windows-1252, or in Latin-1; empty where neither has all of its characters."""
    for encoding in ("cp1252", "latin-1"):
        with suppress(UnicodeEncodeError):
            return text.encode(encoding)
    return b""


def _entity(letter: str) -> bytes:
    """Return the pattern of the escapes of HTML for a character."""
    code = ord(letter)
    name = "apos" if letter == "'" else codepoint2name.get(code)
    named = rb"|&%s;" % name.encode() if name else b""
    return rb"(?:&#0*%d;|&#[xX]0*%s;%s)" % (code, _hex(code, 0), named)


def _hex(number: int, digits: int) -> bytes:
    """Return the pattern of a number in hex digits of any case."""
    return b"".join(
        b"[%c%c]" % (each, each - 32) if each >= ord("a") else b"%c" % each
        for each in f"{number:0{digits}x}".encode()
    )


def _is_text_around(content: bytes, match: re.Match[bytes]) -> bool:
    """Return whether most of the bytes around a match are text: UTF-8, Latin-1 with few accents, or UTF-16
    of Latin letters."""
    start, end = match.span()
    around = content[max(start - NEIGHBOURS, 0) : end + NEIGHBOURS]
    if b"\0" in match[0]:
        wide = content[max(start - NEIGHBOURS, start % 2) : end + NEIGHBOURS]
        texts = [wide.decode(encoding, "replace") for encoding in BEFORE_WIDE]
        latin = [[each for each in text if each.isprintable() and each <= LATIN] for text in texts]
        if 4 * max(map(len, latin)) >= 3 * len(texts[0]):
            return True
    letters = [
        each for each in around.decode(errors="ignore") if each.isprintable() or each in "\t\r\n"
    ]
    return 4 * len("".join(letters).encode()) >= 3 * len(around)
