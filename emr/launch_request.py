"""The request that launches a cluster, in the form of EMR's RunJobFlow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conf.settings import EmrSettings
from emr import account
from emr.account import LOGS, MANAGED

ROOT_GB = 15
"""The root disk, EMR's own default: system and EMR's programs. What a run writes goes to `disk_gb`."""

SPOT_MINUTES = 10
"""How long Spot is waited for before on demand is taken."""

STRATEGY = "price-capacity-optimized"
"""Of the pools with most to spare the cheapest: a node that is taken away costs the tasks that ran there."""

CONFIGURATIONS = {
    "spark": {"maximizeResourceAllocation": "false"},
    "delta-defaults": {"delta.enabled": "true"},
    "yarn-site": {
        "yarn.node-labels.enabled": "true",
        "yarn.node-labels.am.default-node-label-expression": "CORE",
    },
}
"""Executors are sized when a run is submitted; Delta's jars are installed; drivers run on core nodes alone,
which since EMR 6 they do only where that is asked for."""


def run_job_flow(own: EmrSettings, *, security: str, key: str) -> dict[str, Any]:
    """What is asked of EMR. `security`: the name of the security configuration; `key`: the ARN of the key."""
    return {
        "Name": own.name,
        "ReleaseLabel": own.release,
        "Applications": [{"Name": "Spark"}],
        "LogUri": f"{log_root(own)}/",
        "LogEncryptionKmsKeyId": key,
        "Instances": {
            "InstanceFleets": fleets(own),
            "Ec2SubnetIds": list(own.subnets),
            "KeepJobFlowAliveWhenNoSteps": True,
            "TerminationProtected": False,
        },
        "StepConcurrencyLevel": 1,
        "AutoTerminationPolicy": {"IdleTimeout": own.idle_minutes * 60},
        "ManagedScalingPolicy": {"ComputeLimits": limits(own)},
        "ScaleDownBehavior": "TERMINATE_AT_TASK_COMPLETION",
        "EbsRootVolumeSize": ROOT_GB,
        "SecurityConfiguration": security,
        "ServiceRole": account.service_role(own),
        "JobFlowRole": account.node_role(own),
        "VisibleToAllUsers": True,
        "Tags": [
            {"Key": name, "Value": value}
            for name, value in (account.tags(own) | {MANAGED: "true"}).items()
        ],
        "Configurations": [
            {"Classification": name, "Properties": properties}
            for name, properties in CONFIGURATIONS.items()
        ],
    }


def log_root(own: EmrSettings) -> str:
    """Where EMR puts logs."""
    return f"{own.artifacts.rstrip('/')}/{LOGS}"


def fleets(own: EmrSettings) -> list[dict[str, Any]]:
    """Primary and core on demand, as a run dies with them; task nodes Spot, as it doesn't.

    One task node is asked for at first, and scaling asks for more: where no Spot is to be had, one node on
    demand is the most that the switch costs, and the cluster comes up.
    """
    made = [
        _on_demand("MASTER", own.primary, 1, own.disk_gb),
        _on_demand("CORE", own.core, own.core_nodes, own.disk_gb),
    ]
    if own.task_nodes:
        spot = {
            "TimeoutDurationMinutes": SPOT_MINUTES,
            "TimeoutAction": "SWITCH_TO_ON_DEMAND",
            "AllocationStrategy": STRATEGY,
        }
        resized = {"TimeoutDurationMinutes": SPOT_MINUTES, "AllocationStrategy": STRATEGY}
        made.append(
            {
                "Name": "task",
                "InstanceFleetType": "TASK",
                "TargetSpotCapacity": 1,
                "InstanceTypeConfigs": _types(own.task, own.disk_gb),
                "LaunchSpecifications": {"SpotSpecification": spot},
                "ResizeSpecifications": {"SpotResizeSpecification": resized},
            }
        )
    return made


def _on_demand(kind: str, types: Sequence[str], nodes: int, disk_gb: int) -> dict[str, Any]:
    return {
        "Name": {"MASTER": "primary"}.get(kind, kind.lower()),
        "InstanceFleetType": kind,
        "TargetOnDemandCapacity": nodes,
        "InstanceTypeConfigs": _types(types, disk_gb),
        "LaunchSpecifications": {"OnDemandSpecification": {"AllocationStrategy": "lowest-price"}},
    }


def _types(types: Sequence[str], disk_gb: int) -> list[dict[str, Any]]:
    """Each counts as one unit, so that units are nodes."""
    disk = {"VolumeSpecification": {"VolumeType": "gp3", "SizeInGB": disk_gb}}
    return [
        {
            "InstanceType": name,
            "WeightedCapacity": 1,
            "EbsConfiguration": {"EbsBlockDeviceConfigs": [disk | {"VolumesPerInstance": 1}]},
        }
        for name in types
    ]


def limits(own: EmrSettings) -> dict[str, Any]:
    """Between core alone and core with all task nodes; what is more than core is Spot."""
    return {
        "UnitType": "InstanceFleetUnits",
        "MinimumCapacityUnits": own.core_nodes,
        "MaximumCapacityUnits": own.core_nodes + own.task_nodes,
        "MaximumOnDemandCapacityUnits": own.core_nodes,
        "MaximumCoreCapacityUnits": own.core_nodes,
    }
