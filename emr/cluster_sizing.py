"""For each instance type the smallest cluster that ends a run in time, and what the run costs on it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from conf.errors import BadInput
from conf.prices import Calibration, Instance, Prices
from conf.settings import EmrSettings
from emr import run_estimate
from emr.run_estimate import Memory, Seconds, Work

MOST_NODES = 500
"""The largest number of nodes that is tried."""

HOURS_A_MONTH = 730


@dataclass(frozen=True)
class Shape:
    """A number of nodes of one instance type that run executors; the primary node comes in addition.

    `seconds` and `memory` are what a run takes on them.
    """

    name: str
    instance: Instance
    nodes: int
    seconds: Seconds
    memory: Memory

    @property
    def slots(self) -> int:
        """The number of tasks that run at the same time, one for each vCPU."""
        return self.nodes * self.instance.vcpus

    @property
    def cores(self) -> float:
        """The speed of all nodes together, as a number of cores of the machine that was measured."""
        return self.nodes * self.instance.power

    @property
    def launched_nodes(self) -> int:
        """The number of nodes besides the primary node.

        A driver that has no room beside an executor takes one more node.
        """
        return self.nodes + self.memory.driver_alone

    @property
    def hours(self) -> float:
        """The hours that a run takes."""
        return self.seconds.total / 3600


@dataclass(frozen=True)
class CostModel:
    """The inputs of a plan, and the calculations that follow from them.

    `work` is what the run has to do, `measured` are the rates of the benchmark. `photo_memory` are the bytes
    that the worst photo takes in a slot. `driver_heap` and `driver_overhead` are the driver's Java heap and
    its memory beside the heap in the settings, in MiB.
    """

    work: Work
    measured: Calibration
    prices: Prices
    emr_settings: EmrSettings
    photo_memory: int
    driver_heap: int
    driver_overhead: int

    @property
    def driver(self) -> int:
        """The MiB of the driver's container, also where its Python needs more than the settings give it."""
        needed = run_estimate.driver_overhead(self.work, self.measured)
        return self.driver_heap + max(self.driver_overhead, needed)

    def shape(self, name: str, *, nodes: int) -> Shape:
        """Return the shape with that many nodes of an instance type."""
        instance = self.prices.instances[name]
        seconds = run_estimate.run_seconds(
            self.work,
            self.measured,
            self.prices.storage,
            slots=nodes * instance.vcpus,
            cores=nodes * instance.power,
        )
        memory = run_estimate.node_memory(
            instance, self.work, self.measured, photo=self.photo_memory, driver=self.driver
        )
        return Shape(name, instance, nodes, seconds, memory)

    def smallest_shape(self, name: str, *, hours: float) -> Shape | None:
        """Return the shape with the fewest nodes of an instance type that ends within `hours`.

        Returns None where even MOST_NODES nodes take longer.
        """
        low, high = 1, MOST_NODES
        if self.shape(name, nodes=high).hours > hours:
            return None
        while low < high:
            middle = (low + high) // 2
            if self.shape(name, nodes=middle).hours <= hours:
                high = middle
            else:
                low = middle + 1
        return self.shape(name, nodes=low)

    def cost(self, shape: Shape, *, is_spot: bool) -> float:
        """Return the dollars that a run costs on a shape.

        Without `is_spot`, all nodes are on demand; with it, all but the primary node and `emr.core_nodes`
        are Spot.
        """
        launched, node, primary = shape.launched_nodes, shape.instance, self.primary
        on_demand = min(self.emr_settings.core_nodes, launched) if is_spot else launched
        disk = self.emr_settings.disk_gb * self.prices.storage.ebs_gb_month / HOURS_A_MONTH
        dollars_an_hour = (
            primary.on_demand
            + primary.emr
            + on_demand * node.on_demand
            + (launched - on_demand) * node.spot
            + launched * node.emr
            + (launched + 1) * disk
        )
        return shape.hours * dollars_an_hour

    @property
    def primary(self) -> Instance:
        """The instance type of the primary node, the first of `emr.primary` that has a price.

        Raises BadInput where none has a price.
        """
        priced = self.prices.instances
        for name in self.emr_settings.primary:
            if name in priced:
                return priced[name]
        raise BadInput(
            f"conf/prices.toml has no price of {', '.join(self.emr_settings.primary)} (emr.primary); add one "
            f"of them."
        )

    def with_work(self, work: Work) -> CostModel:
        """Return the same model for other work."""
        return replace(self, work=work)


@dataclass(frozen=True)
class ClusterPlan:
    """For each instance type the smallest shape that ends within `hours`.

    `late` are the instance types of which even MOST_NODES nodes take longer.
    """

    model: CostModel
    hours: float
    shapes: tuple[Shape, ...]
    late: tuple[str, ...]

    @property
    def chosen(self) -> Shape:
        """The shape that costs least with Spot nodes."""
        return min(self.shapes, key=lambda shape: self.model.cost(shape, is_spot=True))


def plan_cluster(model: CostModel, *, hours: float) -> ClusterPlan:
    """Return the plan for a run that ends within `hours`.

    Raises BadInput where no instance type ends in time.
    """
    names = model.prices.instances
    smallest = {name: model.smallest_shape(name, hours=hours) for name in names}
    shapes = tuple(shape for shape in smallest.values() if shape)
    if not shapes:
        serial = model.shape(next(iter(names)), nodes=1).seconds.serial
        raise BadInput(
            f"{model.work.photos:,} photos can't be done in {hours:g} h, however many nodes there are: "
            f"{serial / 3600:.1f} h of it don't get shorter with more nodes, and no more than {MOST_NODES} "
            f"are tried; give more --hours, or take larger chunks (chunks.max_photos)."
        )
    late = tuple(name for name, shape in smallest.items() if shape is None)
    return ClusterPlan(model, hours, shapes, late)
