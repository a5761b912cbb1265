"""Whatever becomes of a valid DICOM file on its way, it ends as a volume or as an error with a name, and soon."""

import faulthandler
import os
import signal
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.contract.errors import ImageError
from shared.volumes.scan import VolumeLimits
from tests.fakes import dicom
from trainer.volumes.dicom.series import read_series

LIMITS = VolumeLimits(max_voxels=1 << 20)
SECONDS = 20.0  # generous: shared machines stall
_VOXELS = dicom.head((3, 16, 18), top=255)
_COLOURS = np.stack([_VOXELS, _VOXELS, _VOXELS], -1).astype(np.uint8)
_EXACT = (*dicom.NATIVE, *dicom.LOSSLESS)
FILES = {
    **{f"slice {uid}": dicom.as_bytes(dicom.series(_VOXELS, bits=12)[0], uid) for uid in _EXACT},
    **{f"frames {uid}": dicom.as_bytes(dicom.enhanced(_VOXELS, bits=12), uid) for uid in _EXACT},
    **{f"lossy {uid}": dicom.as_bytes(dicom.series(_VOXELS.astype(np.uint8))[0], uid) for uid in dicom.LOSSY},
    **{f"colours {uid}": dicom.as_bytes(dicom.series(_COLOURS)[0], uid) for uid in _EXACT[1:]},
}


@st.composite
def damaged(draw, data):
    """A few bytes changed, and perhaps something cut out, doubled or cut off."""
    broken = bytearray(data)
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(128, len(data) - 1))
        value = draw(st.one_of(st.sampled_from((0, 1, 0x7F, 0x80, 0xFF)), st.integers(0, 255)))
        broken[at] = value
    start, length = draw(st.integers(0, len(data))), draw(st.integers(0, 32))
    match draw(st.sampled_from(("keep", "keep", "cut off", "cut out", "double"))):
        case "cut off":
            del broken[start:]
        case "cut out":
            del broken[start : start + length]
        case "double":
            broken[start:start] = broken[start : start + length]
    return bytes(broken)


def check(folder, data):
    path = folder / "file"
    path.write_bytes(data)
    started = time.monotonic()
    try:
        scan = read_series([path], LIMITS).scan
    except ImageError as error:
        assert error.detail.endswith(".")
    else:
        assert scan.voxels_DHWC.size <= 3 * LIMITS.max_voxels
        assert np.isfinite(scan.voxels_DHWC).all()
        assert np.isfinite(scan.grid.affine).all()
    assert time.monotonic() - started < SECONDS


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_a_damaged_file_ends_as_a_volume_or_a_named_error(tmp_path_factory, name, data):
    check(tmp_path_factory.getbasetemp(), data.draw(damaged(FILES[name])))


def check_in_a_child(folder, data):
    """In a process of its own, as a worker reads: GDCM ends it now and then (std::terminate); nothing else may."""
    child = os.fork()
    if child == 0:
        try:
            faulthandler.disable()  # what is expected need not be told
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            check(folder, data)
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert status == 0 or os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGABRT


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of forking with threads: the child only reads
@pytest.mark.parametrize("name", FILES)
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_many_damaged_files_end_as_a_volume_or_a_named_error(tmp_path_factory, name, data):
    check_in_a_child(tmp_path_factory.getbasetemp(), data.draw(damaged(FILES[name])))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.binary(max_size=600),
    st.sampled_from((b"", bytes(128) + b"DICM", b"\x08\0\x05\0CS", b"\x02\0\0\0UL\x04\0")),
)
def test_noise_behind_any_beginning_ends_as_a_named_error(tmp_path_factory, noise, beginning):
    path = tmp_path_factory.getbasetemp() / "noise"
    path.write_bytes(beginning + noise)
    with pytest.raises(ImageError):
        read_series([path], LIMITS)


@pytest.mark.parametrize("name", FILES)
def test_every_file_of_this_suite_is_a_volume_before_it_is_damaged(tmp_path, name):
    (tmp_path / "file").write_bytes(FILES[name])
    assert read_series([tmp_path / "file"], LIMITS).scan.voxels_DHWC.shape[1:3] == (16, 18)
