"""The command lines of the service's processes: the one place that defines them.

`make run` starts them under a process manager and docker-compose.yml as containers; tests hold the two equal.
"""

from collections.abc import Sequence

from shared.contract.names import Queue

# Pixels in flight are cached with a time to live. When the cache is full the least recently used of those
# keys go first (the pixels are in the file store as well), and never the queues, which have none.
REDIS_MEMORY = "512mb"


def api_command() -> list[str]:
    """gunicorn with its settings file, which reads HOST, PORT and the threads from the environment."""
    return ["python", "-m", "gunicorn", "--config", "service/gunicorn.conf.py", "service.wsgi:create()"]


def worker_command(queue: Queue) -> list[str]:
    """A Celery worker of one queue.

    Threads, because a job waits for the device most of the time, a batch is made of many threads' pictures,
    and CUDA does not survive a fork. Gossip, mingle and heartbeat are chatter between workers that nobody
    listens to: the database knows who is alive.
    """
    return [
        *(
            "python",
            "-m",
            "celery",
            "-A",
            "trainer.celery_app",
            "worker",
            "-Q",
            str(queue),
            "-n",
            f"{queue}@%h",
        ),
        *("--pool", "threads", "--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]


def redis_command(listen: Sequence[str], program: str = "redis-server") -> list[str]:
    """A Redis that writes nothing to disk: the database is the truth, and what Redis loses is sent again."""
    return [
        *(program, *listen, "--save", "", "--appendonly", "no"),
        *("--maxmemory", REDIS_MEMORY, "--maxmemory-policy", "volatile-lru"),
    ]
