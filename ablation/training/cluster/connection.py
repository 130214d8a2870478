"""A Dask cluster: found at an address or started here, and its machines compared with this one."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ablation.core.errors import InputError, Problem, TryAgainError, reason_of
from ablation.training.cluster import task
from ablation.training.cluster.address import scheduler_of
from ablation.training.cluster.session import Session, differences

if TYPE_CHECKING:
    from distributed import Client

CONNECTING = 10.0
"""Seconds in which a scheduler must answer."""

JOINING = 600.0
"""Seconds in which a first Dask worker must join: a cluster that grows with its tasks starts none before."""


@dataclass
class Connection:
    """A client of a cluster; `close` ends the cluster as well, where it was started here."""

    client: Client
    address: str
    cluster: Any = None

    def close(self) -> None:
        self.client.close(timeout=3)
        if self.cluster is not None:
            self.cluster.close(timeout=10)


def connect(where: str) -> Connection:
    """Find the cluster, or start it. Raises InputError for an address of no form, TryAgainError where none answers."""
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise InputError(f"--cluster needs Dask ({error}): pip install 'ablation[cluster]'") from None
    if isinstance(address := scheduler_of(where), int):
        cluster = LocalCluster(
            n_workers=address,
            threads_per_worker=1,
            processes=True,
            dashboard_address="127.0.0.1:0",  # None would be port 8787
            scheduler_kwargs={"dashboard": False},
            silence_logs=logging.ERROR,
        )
        return Connection(Client(cluster, set_as_default=False), where, cluster)
    try:
        return Connection(Client(address, timeout=CONNECTING, set_as_default=False), address)
    except (OSError, TimeoutError, ValueError) as error:
        wrong = f"no Dask scheduler answers at {address} ({reason_of(error)})"
        raise TryAgainError(f"{wrong}; start it (docs/cluster.md), and give the same command again") from error


def workers_of(client: Client) -> Mapping[str, Mapping[str, Any]]:
    """What the scheduler knows of each Dask worker, by its address."""
    workers: Mapping[str, Mapping[str, Any]] = client.scheduler_info(n_workers=-1)["workers"]
    return workers


def await_worker(client: Client) -> None:
    """Wait until there is a Dask worker. Raises TryAgainError where none comes."""
    if workers_of(client):
        return
    probe = client.submit(int, pure=False)  # a cluster that grows with its tasks grows by it
    try:
        probe.result(timeout=JOINING)
    except TimeoutError:
        wrong = f"no Dask worker has joined within {JOINING:.0f} s; start some (docs/cluster.md)"
        raise TryAgainError(f"{wrong}, and give the same command again") from None


def compare(client: Client, session: Session) -> dict[str, str]:
    """The host of each Dask worker, by its address. Raises InputError where one has other versions, or cannot do this.

    The list names each host and what differs there.
    """
    seen = client.run(task.examine, session.to_json(), on_error="return")
    hosts: dict[str, str] = {}
    problems: dict[str, None] = {}
    for address, answer in seen.items():
        if isinstance(answer, BaseException):
            where = f"the Dask worker {address}"
            missing = isinstance(answer, ModuleNotFoundError)
            advice = "; install this program there, of the same version" if missing else ""
            problems[f"{where} cannot do this: {answer}{advice}"] = None
            continue
        hosts[address] = answer["host"]
        if wrong := differences(answer["versions"], session.versions):
            problems[f"{answer['host']} has other versions: {wrong}"] = None
        for problem in answer["problems"]:
            problems[f"{answer['host']}: {problem}"] = None
    if problems:
        raise InputError([Problem(problem, "--cluster") for problem in problems])
    return hosts


def slots(client: Client, device: str) -> tuple[int, bool]:
    """How many runs the cluster trains at once, and whether each takes one of what Dask calls GPU."""
    workers = workers_of(client).values()
    gpus = sum(int(worker.get("resources", {}).get("GPU", 0)) for worker in workers)
    if gpus and device != "cpu":
        return gpus, True
    return sum(int(worker["nthreads"]) for worker in workers), False
