"""Loaded by schemathesis: half of the uploads that it makes up become a real slice, which leads on to its links."""

from typing import Any

import schemathesis

from tests.fakes import images

SLICE = images.png(images.picture())


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Replace a made-up file by a slice, depending on its length."""
    if isinstance(body, dict) and isinstance(body.get("image"), bytes) and len(body["image"]) % 2 == 0:
        return {**body, "image": SLICE}
    return body
