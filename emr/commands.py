"""The commands of EMR, which run.py mounts as `emr plan`, `emr launch`, and so on."""

from __future__ import annotations

import argparse
import os

from rich.console import Console

from conf.errors import BadSettings
from conf.settings import EmrSettings, Settings
from emr import cluster, package, plan, policies


def run(words: argparse.Namespace, settings: Settings, console: Console) -> None:
    """The one that `words.doing` names."""
    own = section(settings)
    # Where neither this nor a profile tells one, boto3 asks S3 in a region that the roles are denied.
    os.environ.setdefault("AWS_DEFAULT_REGION", own.region)
    if words.doing == "plan":
        plan.plan_command(words, settings, own, console)
    elif words.doing == "policies":
        policies.policies_command(words, settings, own, console)
    elif words.doing == "package":
        package.package_command(settings, own, console)
    else:
        cluster.run(words, settings, own, console)


def section(settings: Settings) -> EmrSettings:
    """The settings of the cluster. Raises BadSettings where there are none."""
    if settings.emr is None:
        raise BadSettings(
            "The settings lack the section [emr]; add it, or take those of --conf emr."
        )
    return settings.emr
