import io
import zipfile

import pytest

from shared.files.slice_zip import read_slice, write_slices


def written(pictures: list[bytes]) -> io.BytesIO:
    file = io.BytesIO()
    write_slices(file, iter(pictures))
    return file


def test_slices_are_read_one_at_a_time_by_their_number():
    file = written([b"first", b"second", b"third"])
    assert [read_slice(file, index) for index in (2, 0, 1)] == [b"third", b"first", b"second"]
    assert zipfile.ZipFile(file).namelist() == ["00000.png", "00001.png", "00002.png"]


@pytest.mark.parametrize("index", [3, -1, 100000])
def test_there_is_no_slice_beyond_the_last(index):
    with pytest.raises(KeyError):
        read_slice(written([b"a", b"b", b"c"]), index)


def test_equal_pictures_give_equal_bytes_and_are_not_compressed_again():
    file = written([b"a" * 1000])
    assert file.getvalue() == written([b"a" * 1000]).getvalue()
    assert len(file.getvalue()) > 1000
