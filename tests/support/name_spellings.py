"""Names as people write them, and how a tool, a file system or a keyboard may spell one of them."""

import os
import unicodedata
from urllib.parse import quote

from hypothesis import strategies as st

LETTERS = st.characters(categories=("L", "Mn", "Nd"), codec="utf-8")
NAMES = st.text(
    st.one_of(LETTERS, st.sampled_from("aeéöñçåßДя李 -.'’@+%0")), min_size=1, max_size=12
).filter(lambda name: name.strip())


def _quoted(name):
    return quote(name, safe="", errors="surrogateescape")


def _quoted_in_part(name):
    """As tools do that leave what a URL allows, and write some hex digits small."""
    kept = "-._~!$'()*+,@"
    return quote(name, safe=kept, errors="surrogateescape").replace("%C3", "%c3")


WAYS = {
    "NFC": lambda name: unicodedata.normalize("NFC", name),
    "NFD": lambda name: unicodedata.normalize("NFD", name),
    "space before": lambda name: f" {name}",
    "space behind": lambda name: f"{name}\t",
    "no-break space": lambda name: f"\u00a0{name}\u00a0",
    "zero-width space": lambda name: f"\ufeff{name}",
    "percent": _quoted,
    "percent in part": _quoted_in_part,
    "percent, small": lambda name: "".join(f"%{byte:02x}" for byte in os.fsencode(name)),
    "percent twice": lambda name: _quoted(_quoted(name)),
    "marks of direction": lambda name: f"\u202a{name}\u202c",
    "joiners": lambda name: f"\u200d{name}\u200c",
    "soft hyphen": lambda name: f"{name}\u00ad",
    "controls": lambda name: f"\x01{name}\x7f",
}
"""Ways to spell a name that a person would call the same name."""

KEYS = (
    *("subject=", "Subject=", "SUBJECT=", "sUbJeCt="),
    *("subject%3D", "subject%3d", "%73ubject%3D", "subject%253D"),
    *("subject =", " subject=", "\u00a0subject\u2003="),
    *("subject＝", "ｓｕｂｊｅｃｔ=", "ſubject=", "subject﹦"),
)
"""Spellings of the key that are certain."""

UNCERTAIN_KEYS = (
    *(
        "subject:",
        "subject-",
        "subject_",
        "subject ",
        "subject.",
        "subject~",
        "subject≠",
        "subject",
    ),
    *("Subject-", "SUBJECT_", "USER-", "Person "),
    *("subject：", "subject%3A", "subject==", "subjct=", "sbject=", "subjekt=", "ѕubject="),
    *("subject_id=", "subjectId=", "data-subject=", "subjects=", "my subject="),
    *("user=", "User=", "USER%3D", "user:", "user_id=", "userId=", "user-", "user_", "app_user="),
    *("person=", "person-", "customer=", "customer ", "patient:", "people="),
    *("sub=", "subj=", "subj_id=", "name꞉", "userː", "email∶", "üser=", "us\u00ader-", "usеr="),
    *("user=;", "users;", "subject=bert;user=", "ѕuЬject-"),
    *("owner=", "client=", "client_id=", "name=", "first_name=", "email=", "uploader＝", "uid="),
    *(
        "label=kiwi;subject=",
        "label=kiwi&user=",
        "label=subject-",
        "subjects/",
        "users/",
        "kiwi\\subject=",
    ),
)
"""Beginnings of folders that look like a subject's and are not certain."""
