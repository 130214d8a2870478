"""A Dask cluster: found at an address or started here, and its machines compared with this one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ablation.core.errors import InputError, Problem, TryAgainError, reason_of
from ablation.core.text import counted
from ablation.training.cluster import task
from ablation.training.cluster.address import scheduler_of
from ablation.training.cluster.session import Session, differences

if TYPE_CHECKING:
    from distributed import Client

CONNECTING = 10.0
"""Seconds in which a scheduler must answer."""

JOINING = 600.0
"""Seconds in which a first Dask worker must join: a cluster that grows with its tasks starts none before."""


_LOGGERS = ("distributed", "tornado", "asyncio")
"""What Dask prints on standard error comes by these, and those below them."""

_NAMED = 10
"""Machines that are named at most."""


class _Log(logging.Handler):
    """Appends to a file, which comes with the first line. One that cannot be written costs nothing."""

    def __init__(self, path: Path):
        super().__init__()
        self.path = path
        self.setFormatter(logging.Formatter("%(asctime)s - %(name)s - %(levelname)s - %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Append the record with its traceback."""
        with suppress(OSError), self.path.open("a", encoding="utf-8") as file:
            file.write(f"{self.format(record)}\n")


def log_to(path: Path) -> Callable[[], None]:
    """Have Dask write its messages to this file and not on standard error; call what is returned to undo that."""
    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] in _LOGGERS]
    loggers = [logging.getLogger(name) for name in sorted({*names, *_LOGGERS})]
    before = [(logger, logger.handlers, logger.propagate) for logger in loggers]
    log = _Log(path)
    for logger in loggers:
        is_first = logger.name in _LOGGERS
        logger.handlers, logger.propagate = ([log], False) if is_first else ([], True)

    def undo() -> None:
        for logger, handlers, propagate in before:
            logger.handlers, logger.propagate = handlers, propagate

    return undo


class Member(NamedTuple):
    """What is known of a Dask worker: its machine, and the device of its first run, as 'cuda:0'."""

    host: str
    device: str


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


def compare(client: Client, session: Session) -> dict[str, Member]:
    """Each Dask worker, by its address. Raises InputError where one has other versions, or cannot do this.

    The list names each host and what differs there.
    """
    seen = client.run(task.examine, session.to_json(), on_error="return")
    members: dict[str, Member] = {}
    problems: dict[str, None] = {}
    for address, answer in seen.items():
        if isinstance(answer, BaseException):
            where = f"the Dask worker {address}"
            missing = isinstance(answer, ModuleNotFoundError)
            advice = "; install this program there, of the same version" if missing else ""
            problems[f"{where} cannot do this: {answer}{advice}"] = None
            continue
        members[address] = Member(answer["host"], answer["device"])
        if wrong := differences(answer["versions"], session.versions):
            problems[f"{answer['host']} has other versions: {wrong}"] = None
        for problem in answer["problems"]:
            problems[f"{answer['host']}: {problem}"] = None
    if problems:
        raise InputError([Problem(problem, "--cluster") for problem in problems])
    return members


def members_in_words(members: Mapping[str, Member]) -> str:
    """'3 workers of 2 machines: a, b (cuda)'."""
    devices: dict[str, str] = {}
    for host, device in members.values():
        kind = device.partition(":")[0]
        devices[host] = host if kind == "cpu" else f"{host} ({kind})"
    named = sorted(devices.values())
    if more := named[_NAMED:]:
        named = [*named[:_NAMED], f"{len(more)} more"]
    return f"{counted(len(members), 'worker')} of {counted(len(devices), 'machine')}: {', '.join(named)}"


def slots(client: Client, device: str) -> tuple[int, bool]:
    """How many runs the cluster trains at once, and whether each takes one of what Dask calls GPU."""
    workers = workers_of(client).values()
    gpus = sum(int(worker.get("resources", {}).get("GPU", 0)) for worker in workers)
    if gpus and device != "cpu":
        return gpus, True
    return sum(int(worker["nthreads"]) for worker in workers), False
