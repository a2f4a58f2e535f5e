"""The request that launches a cluster, in the form of EMR's RunJobFlow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conf.settings import EmrSettings
from emr import account
from emr.account import LOGS, MANAGED

ROOT_GB = 15
"""The size of the root disk, which is EMR's default. It holds the system and EMR's programs; what a run
writes goes to the disk of `emr.disk_gb`."""

SPOT_MINUTES = 10
"""How many minutes EMR waits for Spot nodes before it takes nodes on demand."""

SPOT_STRATEGY = "price-capacity-optimized"
"""EMR takes the cheapest of the Spot pools with the most free capacity: a node that is taken away costs the
tasks that ran there."""

CONFIGURATIONS = {
    "spark": {"maximizeResourceAllocation": "false"},
    "delta-defaults": {"delta.enabled": "true"},
    "yarn-site": {
        "yarn.node-labels.enabled": "true",
        "yarn.node-labels.am.default-node-label-expression": "CORE",
    },
}
"""The configuration of the cluster's programs. Executors get their size when a run is submitted. Delta's jars
are installed. Drivers only run on core nodes; since EMR 6 that has to be asked for."""


def run_job_flow(emr_settings: EmrSettings, *, security: str, key: str) -> dict[str, Any]:
    """Return the request.

    `security` is the name of the security configuration, and `key` the ARN of the KMS key.
    """
    return {
        "Name": emr_settings.name,
        "ReleaseLabel": emr_settings.release,
        "Applications": [{"Name": "Spark"}],
        "LogUri": f"{log_root(emr_settings)}/",
        "LogEncryptionKmsKeyId": key,
        "Instances": {
            "InstanceFleets": instance_fleets(emr_settings),
            "Ec2SubnetIds": list(emr_settings.subnets),
            "KeepJobFlowAliveWhenNoSteps": True,
            "TerminationProtected": False,
        },
        "StepConcurrencyLevel": 1,
        "AutoTerminationPolicy": {"IdleTimeout": emr_settings.idle_minutes * 60},
        "ManagedScalingPolicy": {"ComputeLimits": scaling_limits(emr_settings)},
        "ScaleDownBehavior": "TERMINATE_AT_TASK_COMPLETION",
        "EbsRootVolumeSize": ROOT_GB,
        "SecurityConfiguration": security,
        "ServiceRole": account.service_role(emr_settings),
        "JobFlowRole": account.node_role(emr_settings),
        "VisibleToAllUsers": True,
        "Tags": [
            {"Key": name, "Value": value}
            for name, value in (account.tags(emr_settings) | {MANAGED: "true"}).items()
        ],
        "Configurations": [
            {"Classification": name, "Properties": properties}
            for name, properties in CONFIGURATIONS.items()
        ],
    }


def log_root(emr_settings: EmrSettings) -> str:
    """The address of the folder where EMR writes logs."""
    return f"{emr_settings.artifacts.rstrip('/')}/{LOGS}"


def instance_fleets(emr_settings: EmrSettings) -> list[dict[str, Any]]:
    """Return the fleets of primary, core and task nodes.

    Primary and core nodes are on demand, because a run dies with them. Task nodes are Spot, because a run
    survives their loss. At first one task node is requested, and scaling requests more. Where no Spot node is
    available, EMR takes one node on demand instead, and the cluster starts all the same.
    """
    fleets = [
        _on_demand("MASTER", emr_settings.primary, 1, emr_settings.disk_gb),
        _on_demand("CORE", emr_settings.core, emr_settings.core_nodes, emr_settings.disk_gb),
    ]
    if emr_settings.task_nodes:
        at_launch = {
            "TimeoutDurationMinutes": SPOT_MINUTES,
            "TimeoutAction": "SWITCH_TO_ON_DEMAND",
            "AllocationStrategy": SPOT_STRATEGY,
        }
        at_resize = {"TimeoutDurationMinutes": SPOT_MINUTES, "AllocationStrategy": SPOT_STRATEGY}
        fleets.append(
            {
                "Name": "task",
                "InstanceFleetType": "TASK",
                "TargetSpotCapacity": 1,
                "InstanceTypeConfigs": _types(emr_settings.task, emr_settings.disk_gb),
                "LaunchSpecifications": {"SpotSpecification": at_launch},
                "ResizeSpecifications": {"SpotResizeSpecification": at_resize},
            }
        )
    return fleets


def _on_demand(kind: str, types: Sequence[str], nodes: int, disk_gb: int) -> dict[str, Any]:
    return {
        "Name": {"MASTER": "primary"}.get(kind, kind.lower()),
        "InstanceFleetType": kind,
        "TargetOnDemandCapacity": nodes,
        "InstanceTypeConfigs": _types(types, disk_gb),
        "LaunchSpecifications": {"OnDemandSpecification": {"AllocationStrategy": "lowest-price"}},
    }


def _types(types: Sequence[str], disk_gb: int) -> list[dict[str, Any]]:
    """Return the instance types of a fleet. Each type counts as one unit, so that units are nodes."""
    disk = {"VolumeSpecification": {"VolumeType": "gp3", "SizeInGB": disk_gb}}
    return [
        {
            "InstanceType": name,
            "WeightedCapacity": 1,
            "EbsConfiguration": {"EbsBlockDeviceConfigs": [disk | {"VolumesPerInstance": 1}]},
        }
        for name in types
    ]


def scaling_limits(emr_settings: EmrSettings) -> dict[str, Any]:
    """Return the limits of managed scaling: at least the core nodes, at most all task nodes in addition.

    On demand nodes are limited to the core nodes, so that every further node is Spot.
    """
    return {
        "UnitType": "InstanceFleetUnits",
        "MinimumCapacityUnits": emr_settings.core_nodes,
        "MaximumCapacityUnits": emr_settings.core_nodes + emr_settings.task_nodes,
        "MaximumOnDemandCapacityUnits": emr_settings.core_nodes,
        "MaximumCoreCapacityUnits": emr_settings.core_nodes,
    }
