"""Wrap each measured system in the same few methods; know nothing of what it is asked to do.

A system's modules are imported in `prepare`, so that importing this module costs none of them.
"""

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, final

from benchmarks.chaining import chained

__all__ = ["PEERS", "Peer"]

Call = Callable[..., Any]


class Peer(ABC):
    """One system under measurement: `prepare`, `start`, then make calls and gather, then `close`."""

    modules: ClassVar[tuple[str, ...]]
    distribution: ClassVar[str | None] = None

    def prepare(self) -> None:
        """Import what the system needs."""
        for module in self.modules:
            import_module(module)

    @abstractmethod
    def start(self, workers: int) -> None:
        """Make the system ready for calls on `workers` workers."""

    @abstractmethod
    def independent(self, function: Call) -> Call:
        """Return what a user calls to submit `function`; the call returns a future."""

    def dependent(self, function: Call) -> Call:
        """Return the same for calls whose arguments may be futures of earlier calls."""
        return self.independent(function)

    def remembered(self, function: Call) -> Call:
        """Return the same for a function whose results are remembered."""
        raise NotImplementedError(f"{type(self).__name__} remembers no results")

    def gather(self, futures: Sequence[Any]) -> list[Any]:
        """Wait for `futures` and return their results in order."""
        return [future.result() for future in futures]

    @abstractmethod
    def close(self) -> None:
        """Stop the system and all its workers."""

    def version(self) -> str:
        """Return the version of the system, or of Python for the standard library."""
        return version(self.distribution) if self.distribution else sys.version.split()[0]


class Nbflow(Peer):
    """Run nbflow on one executor, with its journal on as always."""

    modules = ("nbflow",)
    distribution = "jupyter-nbflow"
    executor: ClassVar[str]

    def start(self, workers: int) -> None:
        """Load a dataflow kernel with one executor."""
        self._nbflow: Any = import_module("nbflow")
        self._nbflow.load(executors=[getattr(self._nbflow, self.executor)(workers=workers)])

    def independent(self, function: Call) -> Call:
        """Return `function` as a python app."""
        app: Call = self._nbflow.python_app(function)
        return app

    def remembered(self, function: Call) -> Call:
        """Return `function` as a python app with a cache."""
        app: Call = self._nbflow.python_app(function, cache=True)
        return app

    def gather(self, futures: Sequence[Any]) -> list[Any]:
        """Gather with nbflow's own function."""
        return list(self._nbflow.gather(futures))

    def close(self) -> None:
        """Clear the dataflow kernel."""
        self._nbflow.clear()


@final
class NbflowThreads(Nbflow):
    """Run nbflow on threads."""

    executor = "Threads"


@final
class NbflowProcesses(Nbflow):
    """Run nbflow on worker processes."""

    executor = "Processes"


@final
class NbflowPilots(Nbflow):
    """Run nbflow on a pilot of this machine: one block, encrypted, through ipyparallel."""

    modules = ("nbflow", "ipyparallel")

    def start(self, workers: int) -> None:
        """Load a dataflow kernel with one pilot, and wait for it."""
        self._nbflow: Any = import_module("nbflow")
        self._nbflow.load(self._nbflow.Pilots("local", workers_per_node=workers, init_blocks=1))
        self._nbflow.python_app(abs)(-1).result()


class NbflowSlurm(Nbflow):
    """Run nbflow on one block of the Slurm cluster that this machine can submit to."""

    modules = ("nbflow", "ipyparallel")
    sites: ClassVar[tuple[str, ...]] = ()

    def start(self, workers: int) -> None:
        """Load a dataflow kernel with one pilot in a job, and wait for it."""
        self._nbflow: Any = import_module("nbflow")
        model = import_module("nbflow.sites.model")
        slurm = model.Site(
            name="slurm",
            scheduler=model.Scheduler.SLURM,
            working_directory=str(Path.cwd()),
            block=model.BlockShape(workers_per_node=workers),
        )
        pilots = self._nbflow.Pilots(slurm, init_blocks=1, min_blocks=1)
        self._nbflow.load(sites=[*self.sites, pilots], workers=workers)
        self._nbflow.python_app(abs, sites=["slurm"])(-1).result()


@final
class NbflowLocalAndSlurm(NbflowSlurm):
    """Run nbflow on both at once: worker processes on this machine, and the same block of Slurm."""

    sites = ("local",)


class NbflowSimulated(Nbflow):
    """Run nbflow's core and loop, with the journal, on a site that is only pretended."""

    nodes: ClassVar[int]

    def start(self, workers: int) -> None:
        """Load a dataflow kernel with all nodes; they have slots of their own number."""
        self._nbflow: Any = import_module("nbflow")
        site = import_module("benchmarks.simulated").SimulatedSite(self.nodes)
        self._nbflow.load(config=self._nbflow.Config(executors=(site,)))


@final
class Nbflow100Nodes(NbflowSimulated):
    """Simulate 100 nodes."""

    nodes = 100


@final
class Nbflow10000Nodes(NbflowSimulated):
    """Simulate 10,000 nodes."""

    nodes = 10_000


class Standard(Peer):
    """Run a pool of the standard library, with dependencies chained by hand."""

    modules = ("concurrent.futures", "concurrent.futures.thread", "concurrent.futures.process")
    pool: ClassVar[str]

    def start(self, workers: int) -> None:
        """Make the pool; its workers start with the first calls."""
        self._pool: Any = getattr(import_module("concurrent.futures"), self.pool)(workers)

    def independent(self, function: Call) -> Call:
        """Return `pool.submit` for `function`."""
        return partial(self._pool.submit, function)

    def dependent(self, function: Call) -> Call:
        """Return `function` chained through done-callbacks."""
        return chained(self._pool.submit, function)

    def close(self) -> None:
        """Shut the pool down."""
        self._pool.shutdown()


@final
class StandardThreads(Standard):
    """Run the standard library's threads."""

    pool = "ThreadPoolExecutor"


@final
class StandardProcesses(Standard):
    """Run the standard library's processes."""

    pool = "ProcessPoolExecutor"


class Parsl(Peer):
    """Run Parsl on one executor."""

    modules: ClassVar[tuple[str, ...]] = ("parsl",)
    distribution = "parsl"
    options: ClassVar[dict[str, Any]] = {}

    @abstractmethod
    def executor(self, workers: int) -> Any:
        """Return the Parsl executor for `workers` workers."""

    def start(self, workers: int) -> None:
        """Load a Parsl configuration with one executor."""
        # Parsl starts its own programs by name, which a bare interpreter's path does not have.
        os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        self._parsl: Any = import_module("parsl")
        config = self._parsl.Config(executors=[self.executor(workers)], **self.options)
        self._kernel: Any = self._parsl.load(config)

    def independent(self, function: Call) -> Call:
        """Return `function` as a Parsl app."""
        app: Call = self._parsl.python_app(function)
        return app

    def remembered(self, function: Call) -> Call:
        """Return `function` as a Parsl app with its memo."""
        app: Call = self._parsl.python_app(function, cache=True)
        return app

    def close(self) -> None:
        """Clean up and clear Parsl's kernel."""
        self._kernel.cleanup()
        self._parsl.clear()


@final
class ParslThreads(Parsl):
    """Run Parsl on threads."""

    modules: ClassVar[tuple[str, ...]] = ("parsl", "parsl.executors.threads")

    def executor(self, workers: int) -> Any:
        """Return Parsl's thread executor."""
        return import_module("parsl.executors.threads").ThreadPoolExecutor(max_threads=workers)


class ParslHtex(Parsl):
    """Run Parsl's HighThroughputExecutor as it comes: encryption and logging on, one local block."""

    modules: ClassVar[tuple[str, ...]] = ("parsl", "parsl.executors", "parsl.providers")
    executor_options: ClassVar[dict[str, Any]] = {}

    def executor(self, workers: int) -> Any:
        """Return a HighThroughputExecutor with one block on this machine."""
        provider = import_module("parsl.providers").LocalProvider(init_blocks=1, min_blocks=1, max_blocks=1)
        return import_module("parsl.executors").HighThroughputExecutor(
            label="htex",
            address="127.0.0.1",
            max_workers_per_node=workers,
            cores_per_worker=1e-3,
            provider=provider,
            **self.executor_options,
        )


@final
class ParslHtexTuned(ParslHtex):
    """Run it with all that is optional off, and with prefetching."""

    options: ClassVar[dict[str, Any]] = {"initialize_logging": False, "strategy": "none"}
    executor_options: ClassVar[dict[str, Any]] = {"encrypted": False, "prefetch_capacity": 100}


@final
class Dask(Peer):
    """Run Dask distributed with one process per worker."""

    modules = ("distributed",)
    distribution = "distributed"

    def start(self, workers: int) -> None:
        """Start a local cluster without its dashboard."""
        distributed: Any = import_module("distributed")
        self._cluster: Any = distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None
        )
        self._client: Any = distributed.Client(self._cluster)
        self._client.wait_for_workers(workers)

    def independent(self, function: Call) -> Call:
        """Return `client.submit`, told that equal calls are different tasks."""
        return partial(self._client.submit, function, pure=False)

    def gather(self, futures: Sequence[Any]) -> list[Any]:
        """Gather with the client, in one message."""
        return list(self._client.gather(list(futures)))

    def close(self) -> None:
        """Close the client, then the cluster."""
        self._client.close()
        self._cluster.close()


class Ipyparallel(Peer):
    """Run ipyparallel through one of its views."""

    modules = ("ipyparallel",)
    distribution = "ipyparallel"

    def start(self, workers: int) -> None:
        """Start a controller and engines, and wait for them."""
        self._cluster: Any = import_module("ipyparallel").Cluster(n=workers, log_level=40)
        self._client: Any = self._cluster.start_and_connect_sync(activate=False)
        self._view: Any = self.view()

    @abstractmethod
    def view(self) -> Any:
        """Return the view whose `apply_async` is measured."""

    def independent(self, function: Call) -> Call:
        """Return `apply_async` for `function`."""
        return partial(self._view.apply_async, function)

    def gather(self, futures: Sequence[Any]) -> list[Any]:
        """Get each result."""
        return [future.get() for future in futures]

    def dependent(self, function: Call) -> Call:
        """Return `function` chained by hand."""
        return chained(self._view.apply_async, function)

    def close(self) -> None:
        """Stop the cluster."""
        self._client.close()
        self._cluster.stop_cluster_sync()


@final
class IpyparallelBalanced(Ipyparallel):
    """Let the scheduler choose the engine."""

    def view(self) -> Any:
        """Return the load-balanced view."""
        return self._client.load_balanced_view()


@final
class IpyparallelDirect(Ipyparallel):
    """Send all calls to one engine."""

    def view(self) -> Any:
        """Return the direct view of the first engine."""
        return self._client[0]


PEERS: dict[str, type[Peer]] = {
    "nbflow-threads": NbflowThreads,
    "nbflow-processes": NbflowProcesses,
    "nbflow-pilots": NbflowPilots,
    "nbflow-slurm": NbflowSlurm,
    "nbflow-local-and-slurm": NbflowLocalAndSlurm,
    "nbflow-100-nodes": Nbflow100Nodes,
    "nbflow-10000-nodes": Nbflow10000Nodes,
    "standard-threads": StandardThreads,
    "standard-processes": StandardProcesses,
    "parsl-threads": ParslThreads,
    "parsl-htex": ParslHtex,
    "parsl-htex-tuned": ParslHtexTuned,
    "dask": Dask,
    "ipyparallel-balanced": IpyparallelBalanced,
    "ipyparallel-direct": IpyparallelDirect,
}
