"""Names behind the word `subject` in bytes, in whatever encoding the word, the name or both are written.

Nobody needs to know a name in clear for this: what stands behind the word is a candidate, whose pseudonym is
compared. Where a name ends in running text can't be told, so each word that may be its last gives one.
"""

from __future__ import annotations

import html
import os
import re
import unicodedata
from collections.abc import Iterator

from lake.look_alikes import INVISIBLE
from lake.path_words import COLONS, EQUALS, SUBJECT
from lake.subject_names import decoded, stripped

LONGEST = 400
"""The bytes behind the word that may belong to a name. The name of a folder has 255, and encodings more."""

MOST_WORDS = 6
"""The words that a name may have where nothing but white space or punctuation ends it."""

MOST_ROUNDS = 4
"""How many encodings may lie in one another, such as percent-encoding in JSON in JSON."""


def _letter(letter: str) -> bytes:
    """Return the pattern of one letter of the key: plain, percent-encoded, escaped, or of full width."""
    codes = {ord(letter), ord(letter.upper())}
    hexes = "|".join(f"{code:02x}" for code in codes)
    numbers = "|".join(map(str, codes))
    forms = [chr(code) for code in codes]
    forms += [rf"%(?:25)*(?i:{hexes})", rf"\\+u00(?i:{hexes})"]
    forms += [f"&#0*(?:{numbers});", f"&#[xX]0*(?i:{hexes});"]
    pattern = "|".join(forms).encode()
    wide = b"|".join(chr(code + 0xFEE0).encode() for code in codes)
    long_s = b"|" + "ſ".encode() if letter == "s" else b""
    return b"(?:" + pattern + b"|" + wide + long_s + b")"


ENCODED_KEY = re.compile(b"".join(map(_letter, SUBJECT)))
"""The word with some letters encoded. It is slow, so it is tried around `ENCODED_LETTERS` alone."""

LETTER_CODES = b"[57]3|[57]5|[46]2|[46][aA]|[46]5|[46]3|[57]4"
ENCODED_LETTERS = tuple(
    map(
        re.compile,
        (
            rb"%%(?:25)*(?:%s)" % LETTER_CODES,
            rb"\\u00(?:%s)" % LETTER_CODES,
            rb"&#[xX0-9]",
            rb"\xef\xbc[\xa2-\xb5]",
            rb"\xef\xbd[\x82-\x95]",
            rb"\xc5\xbf",
        ),
    )
)
"""How a letter of the word begins where it is encoded. Each begins with one byte, so that it is fast."""

AROUND = 160
"""The bytes before an encoded letter in which the word may begin."""

PLAIN_KEY = re.compile(SUBJECT.encode())
BEHIND_KEY = re.compile(rb"""[\s"'\\,:=\[\x00-\x1f]{0,12}[^\x00\n\r"/<>]{1,%d}""" % LONGEST)
OPTION = re.compile(rb"--subject(%s)" % BEHIND_KEY.pattern)
UTF_16_KEY = re.compile(rb"\0".join(bytes([each]) for each in SUBJECT.encode()))
"""These two are searched in lower case."""

PSEUDONYM = re.compile(rb"[\s\"'\\:=]*[0-9a-f]{64}(?![0-9A-Za-z])")
PLAIN_NAME = re.compile(rb"=([A-Za-z0-9]+)")

SPACES = rf"[\s{INVISIBLE}]*"
SEPARATOR = re.compile(
    rf"""[\\"']*{SPACES}[{EQUALS}{COLONS}]{SPACES}\\*["']?|(?<=--)[\\"',]*[\s,]+[\\"'\[]*"""
)
"""What stands between the word and a name: `=`, `": "`, or, behind `--`, the space of `--subject anna`."""

ENDING = re.compile(r"[/\x00-\x1f\"<>]")
BREAK = r"\s!-/:-@\[-`{-~\u2000-\u206f\u3000-\u303f\ufffd\ud800-\udfff"
LAST = re.compile(rf"(?<=[^{BREAK}])(?=[{BREAK}])|(?<=[^{BREAK}][.')])")
"""The places where a name may end: behind a word, and behind a mark that may belong to it."""

ESCAPED = re.compile(r"((?:(?:\\+|%)u[0-9a-fA-F]{4})+)|((?:\\+x[0-9a-fA-F]{2})+)|\\+(['\"])")
DIGITS = re.compile(r"[ux]([0-9a-fA-F]{2,4})")


def candidates(content: bytes) -> set[str]:
    """Return the texts behind the word `subject` that may be names, as they are or as encodings hide them."""
    lower = content.lower()
    found = _behind_keys(content, lower)
    for text in _in_utf_16(content, lower):
        found |= _behind_keys(text, text.lower())
    return {name for behind in found if not PSEUDONYM.match(behind) for name in _names(behind)}


def _behind_keys(content: bytes, lower: bytes) -> set[bytes]:
    """Return what stands behind each word `subject`, up to what no name has."""
    found = set()
    for match in OPTION.finditer(content):
        found.add(b"--" + match[1])
    ends = {match.end() for match in PLAIN_KEY.finditer(lower)}
    for letter in ENCODED_LETTERS:
        done = 0
        for match in letter.finditer(content):
            if match.start() >= done:
                start, done = max(match.start() - AROUND, 0), match.end() + AROUND
                ends.update(each.end() for each in ENCODED_KEY.finditer(content, start, done))
    matches = (BEHIND_KEY.match(content, end) for end in ends)
    return found | {match[0] for match in matches if match}


def unescaped(text: str) -> str:
    """Return a text without one layer of the escapes of JSON, JavaScript, Python's `repr` and HTML."""
    if "\\" in text or "%u" in text:
        text = ESCAPED.sub(_character, text)
    return html.unescape(text) if "&" in text else text


def _in_utf_16(content: bytes, lower: bytes) -> Iterator[bytes]:
    """Yield the bytes in UTF-8, for each way to read them as UTF-16 in which the word stands."""
    ways = set()
    for match in UTF_16_KEY.finditer(lower):
        ways |= {("utf-16-le", match.start() % 2), ("utf-16-be", (match.start() + 1) % 2)}
        if len(ways) == 4:
            break
    for encoding, start in ways:
        yield content[start:].decode(encoding, "replace").encode()


def _names(behind: bytes) -> Iterator[str]:
    """Yield what may be a name at the beginning of the bytes behind the word, by every layer of encoding."""
    if plain := PLAIN_NAME.fullmatch(behind):
        yield plain[1].decode()
        return
    text = behind.decode(errors="surrogateescape")
    for _ in range(MOST_ROUNDS):
        if match := SEPARATOR.match(text, 2 if text.startswith("--") else 0):
            yield from _beginnings(text[match.end() :])
            if match[0].endswith("'"):
                yield from _beginnings(text[match.end() - 1 :])
        before, text = text, unescaped(text)
        if text == before and "%" in text:
            text = decoded(text)
        if text == before:
            break


def _beginnings(text: str) -> Iterator[str]:
    """Yield each beginning of a text that ends where a name may end, also of bytes in Windows-1252."""
    end = ENDING.search(text)
    text = text[: end.start()] if end else text
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    ends = [match.start() for match in LAST.finditer(text[:LONGEST])]
    for place in {*ends[:MOST_WORDS], len(text)}:
        name = stripped(text[:place])
        if name:
            yield name
            if any("\udc80" <= each <= "\udcff" for each in name):
                yield name.encode(errors="surrogateescape").decode("cp1252", "replace")


def _character(escape: re.Match[str]) -> str:
    """Return what escapes stand for; surrogates and bytes that belong together become one character."""
    units, content, quote = escape.groups()
    if quote:
        return str(quote)
    digits = bytes.fromhex("".join(DIGITS.findall(units or content)))
    return digits.decode("utf-16-be", "replace") if units else os.fsdecode(digits)
