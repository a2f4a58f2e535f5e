"""Forms that a text may take in bytes, and containers that hide it there."""

import gzip
import html
import json
import re
import struct
import unicodedata
from urllib.parse import quote

import pyarrow as pa

CODE = re.compile("%[0-9A-F]{2}")
TAGS = {"’": "&rsquo;", "é": "&eacute;", "É": "&Eacute;", "'": "&apos;"}


def _each(text, form):
    return "".join(form(letter) for letter in text)


def _lowered(code):
    return code[0].lower()


def _json_whole(text):
    units = text.encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


FORMS = {
    "UTF-8, NFC": lambda text: unicodedata.normalize("NFC", text).encode(),
    "UTF-8, NFD": lambda text: unicodedata.normalize("NFD", text).encode(),
    "Latin-1": lambda text: text.encode("latin-1", errors="ignore"),
    "UTF-16 LE": lambda text: text.encode("utf-16-le"),
    "UTF-16 BE": lambda text: text.encode("utf-16-be"),
    "UTF-16 with a mark": lambda text: text.encode("utf-16"),
    "UTF-16, NFD": lambda text: unicodedata.normalize("NFD", text).encode("utf-16-le"),
    "percent": lambda text: quote(text, safe="=").encode(),
    "percent, also the =": lambda text: quote(text, safe="").encode(),
    "percent, small": lambda text: CODE.sub(_lowered, quote(text, safe="")).encode(),
    "percent, NFD": lambda text: quote(unicodedata.normalize("NFD", text), safe="").encode(),
    "percent of Latin-1": lambda text: quote(text, encoding="latin-1", errors="ignore").encode(),
    "percent, each byte": lambda text: f"%{text.encode().hex('%')}".encode(),
    "percent twice": lambda text: quote(quote(text, safe=""), safe="").encode(),
    "JSON": lambda text: json.dumps(text)[1:-1].encode(),
    "JSON, each letter": lambda text: _json_whole(text).encode(),
    "JSON, large digits": lambda text: _json_whole(text).upper().replace("\\U", "\\u").encode(),
    "JSON in JSON": lambda text: json.dumps(json.dumps(text)).encode(),
    "repr of bytes": lambda text: repr(text.encode())[2:-1].encode(),
    "HTML": lambda text: html.escape(text).encode("ascii", "xmlcharrefreplace"),
    "HTML, hex": lambda text: _each(text, lambda letter: f"&#x{ord(letter):x};").encode(),
    "HTML, named": lambda text: _each(text, lambda letter: TAGS.get(letter, letter)).encode(),
}
"""Ways to write a text in bytes. Latin-1 leaves out what it has not."""


def compressed(codec, content):
    """Bytes in the frames of a codec of Arrow."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, codec) as stream:
        stream.write(content)
    return sink.getvalue().to_pybytes()


def spark_blocks(content, *, size=300, method=0x20):
    """Bytes as Spark's LZ4BlockOutputStream writes them: in blocks of a size, and an empty one in the end."""
    codec = pa.Codec("lz4_raw")
    blocks = []
    for at in range(0, len(content), size):
        block = content[at : at + size]
        packed = codec.compress(block, asbytes=True) if method == 0x20 else block
        blocks.append(struct.pack("<8sBIII", b"LZ4Block", method, len(packed), len(block), 0))
        blocks.append(packed)
    return b"".join(blocks) + struct.pack("<8sBIII", b"LZ4Block", 0x10, 0, 0, 0)


CONTAINERS = {
    "gzip": gzip.compress,
    "gzip, two members": lambda content: gzip.compress(b"first\n") + gzip.compress(content),
    "zstd": lambda content: compressed("zstd", content),
    "zstd, two frames": lambda content: compressed("zstd", b"first") + compressed("zstd", content),
    "LZ4": lambda content: compressed("lz4", content),
    "Spark's blocks": spark_blocks,
    "Spark's blocks, stored": lambda content: spark_blocks(content, method=0x10),
    "gzip of zstd": lambda content: gzip.compress(compressed("zstd", content)),
    "zstd of Spark's blocks": lambda content: compressed("zstd", spark_blocks(content)),
}
"""Containers that are unpacked."""
