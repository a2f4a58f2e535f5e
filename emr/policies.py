"""`run.py emr policies`: who may do what, what each bucket must have, alarms: as JSON, and in the account."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from conf.errors import BadInput
from conf.settings import EmrSettings, Settings
from emr import account, account_setup, alarms
from emr.account import Account
from emr.alarms import Alarm
from emr.bucket_policies import BucketConfiguration, buckets
from emr.iam_roles import Role, roles

NO_KEY = "made-by-apply"
"""Stands in the files for the id of a key that `--apply` would make."""


def write_policies(
    settings: Settings, own: EmrSettings, console: Console, *, folder: Path, applies: bool
) -> None:
    """Writes the policies as files; with `applies`, makes the account as they say, and names what it changed.

    Raises BadInput (settings that no policy can be made of, no credentials, denied), Refused (a bucket or
    the cluster lies where it may not, before anything is written).
    """
    account.check_region(settings, own)
    account.tags(own)
    places = account.places(settings, own)
    if applies:
        found = account_setup.regions(places, own)
        at = Account(account.number(), own.region, account_setup.key(own, console))
    else:
        at = _account(own, console)
    made, needed = roles(settings, own, at, places), buckets(settings, at, places)
    watching = alarms.alarms(settings, own)
    written = write(folder, documents(made, needed, watching))
    console.print(f"{folder}: {written:,} files.", markup=False, soft_wrap=True)
    if not applies:
        return
    changed = [
        *(line for bucket in needed for line in account_setup.bucket(bucket, found, own)),
        *(line for role in made for line in account_setup.role(role, own)),
        *account_setup.instance_profile(own),
        *account_setup.linked_roles(),
        *alarms.applied(watching, own),
    ]
    for line in changed:
        console.print(line, markup=False, soft_wrap=True)
    if not changed:
        console.print(f"nothing to change: account {at.number} is as the files say.")


def _account(own: EmrSettings, console: Console) -> Account:
    """Without a call of AWS where the settings name the key by its ARN, which tells the account too."""
    key = account.key_of(own)
    if key is not None and key == own.kms_key:
        return Account(key.split(":")[4], own.region, key)
    number = account.number()
    if key is None:
        console.print(
            f"There is no key {own.kms_key} in {own.region} yet: the files say key/{NO_KEY} where --apply "
            f"puts the one that it makes.",
            markup=False,
            soft_wrap=True,
        )
        key = f"arn:aws:kms:{own.region}:{number}:key/{NO_KEY}"
    return Account(number, own.region, key)


def documents(
    made: list[Role], needed: list[BucketConfiguration], watching: list[Alarm]
) -> dict[str, Mapping[str, Any]]:
    """Every file by its name."""
    return {
        **{f"role-{role.name}.trust.json": role.trust for role in made},
        **{f"role-{role.name}.permissions.json": role.permissions for role in made},
        **{f"bucket-{bucket.name}.policy.json": bucket.policy for bucket in needed},
        **{f"bucket-{bucket.name}.encryption.json": bucket.encryption for bucket in needed},
        **{f"bucket-{bucket.name}.lifecycle.json": bucket.lifecycle for bucket in needed},
        **{f"bucket-{bucket.name}.public-access.json": bucket.public_access for bucket in needed},
        **{f"alarm-{alarm['AlarmName']}.json": alarm for alarm in watching},
    }


def write(folder: Path, files: Mapping[str, Mapping[str, Any]]) -> int:
    """How many were written. Raises BadInput where the folder can't be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_text(f"{json.dumps(content, indent=2)}\n")
    except OSError as error:
        raise BadInput(
            f"--out {folder} can't be written ({error.strerror}); name another folder."
        ) from None
    return len(files)
