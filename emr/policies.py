"""The policies that `run.py emr policies` writes as JSON files and applies to the account: IAM roles, the
configuration of each bucket, and alarms."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from conf.errors import BadInput
from conf.settings import EmrSettings, Settings
from emr import account, account_setup, alarms
from emr.account import Account
from emr.alarms import Alarm
from emr.bucket_policies import BucketConfiguration, bucket_configurations
from emr.iam_roles import Role, roles

KEY_PLACEHOLDER = "made-by-apply"
"""The id of the key in the files, where the key doesn't exist and only `--apply` would create it."""


def write_policies(
    settings: Settings,
    emr_settings: EmrSettings,
    console: Console,
    *,
    folder: Path,
    applies: bool,
) -> None:
    """Write the policies as files into `folder`; with `applies`, also correct the account by them.

    Each resource that was changed is printed. Raises BadInput (no policy can be made of these settings, there
    are no credentials, or AWS denies something), Refused (the cluster or a bucket lies in a region that is
    not allowed; this is checked before anything is written).
    """
    account.check_region(settings, emr_settings)
    account.tags(emr_settings)
    places = account.places(settings, emr_settings)
    if applies:
        regions = account_setup.bucket_regions(places, emr_settings)
        number, key_arn = account.account_number(), account_setup.ensure_key(emr_settings, console)
        aws_account = Account(number, emr_settings.region, key_arn)
    else:
        aws_account = _account(emr_settings, console)
    all_roles = roles(settings, emr_settings, aws_account, places)
    buckets = bucket_configurations(settings, aws_account, places)
    all_alarms = alarms.alarm_requests(settings, emr_settings)
    count = write_files(folder, policy_files(all_roles, buckets, all_alarms))
    console.print(f"{folder}: {count:,} files.", markup=False, soft_wrap=True)
    if not applies:
        return
    changed = [
        *(
            line
            for each in buckets
            for line in account_setup.ensure_bucket(each, regions, emr_settings)
        ),
        *(line for role in all_roles for line in account_setup.ensure_role(role, emr_settings)),
        *account_setup.ensure_instance_profile(emr_settings),
        *account_setup.ensure_linked_roles(),
        *alarms.ensure_alarms(all_alarms, emr_settings),
    ]
    for line in changed:
        console.print(line, markup=False, soft_wrap=True)
    if not changed:
        console.print(f"nothing to change: account {aws_account.number} is as the files say.")


def _account(emr_settings: EmrSettings, console: Console) -> Account:
    """Return the account and its key without creating anything.

    Where the settings name the key by its ARN, AWS is not asked: the ARN contains the account's number. Where
    the key doesn't exist, its ARN has a placeholder, and a printed note says so.
    """
    region = emr_settings.region
    key_arn = account.find_key_arn(emr_settings)
    if key_arn is not None and key_arn == emr_settings.kms_key:
        return Account(key_arn.split(":")[4], region, key_arn)
    number = account.account_number()
    if key_arn is None:
        console.print(
            f"There is no key {emr_settings.kms_key} in {region} yet: the files say key/{KEY_PLACEHOLDER} "
            f"in its place, and --apply creates the key.",
            markup=False,
            soft_wrap=True,
        )
        key_arn = f"arn:aws:kms:{region}:{number}:key/{KEY_PLACEHOLDER}"
    return Account(number, region, key_arn)


def policy_files(
    all_roles: Sequence[Role], buckets: Sequence[BucketConfiguration], all_alarms: Sequence[Alarm]
) -> dict[str, Mapping[str, Any]]:
    """Return the content of every file by its name."""
    return {
        **{f"role-{role.name}.trust.json": role.trust for role in all_roles},
        **{f"role-{role.name}.permissions.json": role.permissions for role in all_roles},
        **{f"bucket-{bucket.name}.policy.json": bucket.policy for bucket in buckets},
        **{f"bucket-{bucket.name}.encryption.json": bucket.encryption for bucket in buckets},
        **{f"bucket-{bucket.name}.lifecycle.json": bucket.lifecycle for bucket in buckets},
        **{f"bucket-{bucket.name}.public-access.json": bucket.public_access for bucket in buckets},
        **{f"alarm-{alarm['AlarmName']}.json": alarm for alarm in all_alarms},
    }


def write_files(folder: Path, files: Mapping[str, Mapping[str, Any]]) -> int:
    """Write files as JSON and return their number. Raises BadInput where the folder can't be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_text(f"{json.dumps(content, indent=2)}\n")
    except OSError as error:
        raise BadInput(
            f"--out {folder} can't be written ({error.strerror}); name another folder."
        ) from None
    return len(files)
