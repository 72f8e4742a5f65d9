import os
from pathlib import Path

import pytest

from nbflow.data.file import File
from nbflow.errors import ConfigError


def test_a_file_is_a_path() -> None:
    file = File("a b/c.txt")
    assert os.fspath(file) == str(file) == "a b/c.txt"
    assert file.name == file.filename == "c.txt"
    assert file.filepath == file.path
    assert file.to_path() == Path("a b/c.txt")
    assert File(Path("x")) == File("x")
    assert {File("x")} == {File("x")}


def test_file_urls_are_local_paths() -> None:
    assert File("file:///tmp/a%20b").path == "/tmp/a b"
    assert File("file://localhost/x").path == "/x"


@pytest.mark.parametrize("name", ["", "a\0b", "s3://bucket/x", "file://other/x"])
def test_what_no_store_serves_is_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        File(name)
