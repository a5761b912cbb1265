"""OpenVINO without its telemetry: `from trainer.engines.openvino_without_telemetry import ov`, and never otherwise.

Its converter reports each use to Google Analytics, without asking, unless the package that does so cannot be imported.
Nothing leaves the machine that runs this service.
"""

import sys

sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # before the import, so that it fails
import openvino as ov  # noqa: E402

__all__ = ["ov"]
