"""`python -m trainer.health QUEUE`: does a worker of this host show life? The health check of the containers."""

import os
import socket
import sys
from collections.abc import Mapping

from shared.contract.config import StoreSettings
from shared.contract.names import Queue
from shared.database.database import Database
from shared.database.workers import Workers

# Workers show life every 5 s; a machine under load may miss some.
WITHIN_S = 30.0


def is_alive(env: Mapping[str, str], queue: Queue, host: str) -> bool:
    """Whether a worker of the queue on this host wrote to the database lately. Raises ConfigError."""
    database = Database(StoreSettings.from_env(env, needs_redis=False).database_url)
    try:
        seen = Workers(database).seen(queue, WITHIN_S)
    finally:
        database.close()
    return any(worker.id.startswith(f"{host}-") for worker in seen)


if __name__ == "__main__":
    sys.exit(not is_alive(os.environ, Queue(sys.argv[1]), socket.gethostname()))
