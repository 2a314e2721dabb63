"""The processes of a run, as torchrun starts them: this process holds the store in which they find each other. Its port
is the store's from the start; one that is only looked up may be another test's by the time that rank 0 opens it.
"""

import faulthandler
import os

from torch.distributed import TCPStore

PATIENCE = 200.0
"""Seconds after which a process that still runs says where it is, and ends: long, as other tests may run beside it."""


def made_store() -> TCPStore:
    """Keep it until the processes have ended."""
    return TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)


def rank_variables(store: TCPStore, rank: int, ranks: int) -> dict[str, str]:
    """What torchrun puts into the environment of a process."""
    return {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(ranks),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(store.port),
        "TORCHELASTIC_USE_AGENT_STORE": "True",
        "TORCHELASTIC_RESTART_COUNT": "0",
    }


def begin_rank(store: TCPStore, rank: int, ranks: int) -> None:
    """At the start of a forked process that is to be one of several."""
    os.environ.update(rank_variables(store, rank, ranks))
    faulthandler.dump_traceback_later(PATIENCE, exit=True)
