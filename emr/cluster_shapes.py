"""Clusters of one instance type each: the fewest nodes that end in time, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass, replace

from conf.errors import BadInput
from conf.prices import Calibration, Instance, Prices
from conf.settings import EmrSettings
from emr import run_estimate
from emr.run_estimate import Memory, Seconds, Work

MOST_NODES = 500
"""More are not tried."""

HOURS_A_MONTH = 730


@dataclass(frozen=True)
class Shape:
    """So many nodes of one instance type that run executors, beside the primary node."""

    name: str
    instance: Instance
    nodes: int
    seconds: Seconds
    memory: Memory

    @property
    def slots(self) -> int:
        return self.nodes * self.instance.vcpus

    @property
    def cores(self) -> float:
        """In measured cores."""
        return self.nodes * self.instance.power

    @property
    def launched(self) -> int:
        """Nodes beside the primary one: a driver without room beside an executor has one of its own."""
        return self.nodes + self.memory.driver_alone

    @property
    def hours(self) -> float:
        return self.seconds.total / 3600


@dataclass(frozen=True)
class Reckoning:
    """The work, what it is reckoned with, and the MiB of the driver's heap and of what it has beside it."""

    work: Work
    measured: Calibration
    prices: Prices
    own: EmrSettings
    driver_heap: int
    driver_overhead: int

    @property
    def driver(self) -> int:
        """MiB of the driver's container, where its Python needs more than it was given, too."""
        needed = run_estimate.driver_overhead(self.work, self.measured)
        return self.driver_heap + max(self.driver_overhead, needed)

    def on(self, name: str, *, nodes: int) -> Shape:
        """That many nodes of an instance type."""
        instance = self.prices.instances[name]
        taken = run_estimate.seconds(
            self.work,
            self.measured,
            self.prices.storage,
            slots=nodes * instance.vcpus,
            cores=nodes * instance.power,
        )
        memory = run_estimate.memory(instance, self.work, self.measured, driver=self.driver)
        return Shape(name, instance, nodes, taken, memory)

    def fitting(self, name: str, *, hours: float) -> Shape | None:
        """The fewest nodes of an instance type that end in time. None where MOST_NODES don't."""
        low, high = 1, MOST_NODES
        if self.on(name, nodes=high).hours > hours:
            return None
        while low < high:
            middle = (low + high) // 2
            if self.on(name, nodes=middle).hours <= hours:
                high = middle
            else:
                low = middle + 1
        return self.on(name, nodes=low)

    def cost(self, shape: Shape, *, is_spot: bool) -> float:
        """Dollars of a run: all on demand, or all but the primary node and emr.core_nodes as Spot."""
        launched, node, primary = shape.launched, shape.instance, self.primary
        on_demand = min(self.own.core_nodes, launched) if is_spot else launched
        disk = self.own.disk_gb * self.prices.storage.ebs_gb_month / HOURS_A_MONTH
        an_hour = (
            primary.on_demand
            + primary.emr
            + on_demand * node.on_demand
            + (launched - on_demand) * node.spot
            + launched * node.emr
            + (launched + 1) * disk
        )
        return shape.hours * an_hour

    @property
    def primary(self) -> Instance:
        """Of the primary node: the first of emr.primary that has a price. Raises BadInput."""
        held = self.prices.instances
        for name in self.own.primary:
            if name in held:
                return held[name]
        raise BadInput(
            f"conf/prices.toml has no price of {', '.join(self.own.primary)} (emr.primary); add one of them."
        )

    def of(self, work: Work) -> Reckoning:
        """The same for other work."""
        return replace(self, work=work)


@dataclass(frozen=True)
class ClusterPlan:
    """The fewest nodes of each instance type that end in so many hours; `late`: those of which MOST_NODES
    don't."""

    reckoning: Reckoning
    hours: float
    shapes: tuple[Shape, ...]
    late: tuple[str, ...]

    @property
    def chosen(self) -> Shape:
        """The cheapest with Spot."""
        return min(self.shapes, key=lambda shape: self.reckoning.cost(shape, is_spot=True))


def plan(reckoning: Reckoning, *, hours: float) -> ClusterPlan:
    """Raises BadInput where no instance type ends in time."""
    names = reckoning.prices.instances
    tried = {name: reckoning.fitting(name, hours=hours) for name in names}
    shapes = tuple(shape for shape in tried.values() if shape)
    if not shapes:
        serial = reckoning.on(next(iter(names)), nodes=1).seconds.serial
        raise BadInput(
            f"{reckoning.work.photos:,} photos don't end in {hours:g} h, however many nodes there are: "
            f"{serial / 3600:.1f} h don't get shorter with more, and no more than {MOST_NODES} are tried; "
            f"give more --hours, or take larger chunks (chunks.max_photos)."
        )
    late = tuple(name for name, shape in tried.items() if shape is None)
    return ClusterPlan(reckoning, hours, shapes, late)
