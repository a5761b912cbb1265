"""A stand-in for the training process: does what its order's specification says, without torch."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from trainer.training.runs.run_order import RunChildOrder

COMMAND = (sys.executable, "-m", "tests.fakes.trainee")


def order(folder, *script, **changes):
    """An order for this process: `script` are steps, each a list of a verb and its argument."""
    values = {
        "specification": {"script": script}, "model_id": "m-1", "data": str(folder), "options": {}, "out": str(folder),
        "cache": str(folder), "resume_from": None, "encoder_weights": None, "device": "cpu", "threads": 1, "nice": 0,
        "checkpoint_s": 60.0,
    }  # fmt: skip
    return RunChildOrder(**(values | changes))


def main():
    done = RunChildOrder.from_line(sys.stdin.readline())
    for verb, *arguments in done.specification["script"]:
        match verb:
            case "send":
                print(json.dumps(arguments[0]), flush=True)
            case "print":
                print(arguments[0], flush=True)
            case "listen":  # to one command, then end
                print(json.dumps({"event": "heard", "command": sys.stdin.readline().strip()}), flush=True)
            case "sleep":
                time.sleep(arguments[0])
            case "deaf":
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
            case "child":
                child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
                print(json.dumps({"event": "child", "pid": child.pid}), flush=True)
            case "write":
                Path(done.out, arguments[0]).write_bytes(b"x" * arguments[1])
            case "log":
                print(arguments[0], file=sys.stderr, flush=True)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "exit":
                sys.exit(arguments[0])


if __name__ == "__main__":
    main()
