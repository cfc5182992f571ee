import os
from pathlib import Path

import pytest

from fewshot_film.data.reading.listing import listed, refuse_broken
from fewshot_film.errors import UsageError


def test_what_lies_in_a_folder_by_name(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"three")
    (tmp_path / "c").mkdir()
    (tmp_path / ".a").touch()
    hidden, file, folder = listed(tmp_path)
    assert [e.path for e in (hidden, file, folder)] == [tmp_path / n for n in (".a", "b", "c")]
    assert [e.is_hidden for e in (hidden, file, folder)] == [True, False, False]
    assert [e.is_folder for e in (hidden, file, folder)] == [False, False, True]
    assert file.facts.st_size == 5
    assert file.facts.st_mtime_ns == os.stat(tmp_path / "b").st_mtime_ns


def test_links_stand_for_what_they_lead_to(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "file").write_bytes(b"three")
    (tmp_path / "to a file").symlink_to(tmp_path / "real" / "file")
    (tmp_path / "to a folder").symlink_to(tmp_path / "real")
    _, file, folder = listed(tmp_path)
    assert (file.is_file, file.facts.st_size, folder.is_folder) == (True, 5, True)
    assert not file.is_broken_link
    refuse_broken(file)


@pytest.mark.parametrize("target", ["gone", "link"])
def test_a_link_to_nothing_is_told_and_refused(tmp_path: Path, target: str) -> None:
    """Or to itself."""
    (tmp_path / "link").symlink_to(target)
    (entry,) = listed(tmp_path)
    assert entry.is_broken_link
    assert not entry.is_file
    assert not entry.is_folder
    with pytest.raises(UsageError, match=rf"link is a link to {target}, .*: fetch what it leads"):
        refuse_broken(entry)


def test_what_cannot_be_listed_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot list the folder .*gone \(No such file"):
        listed(tmp_path / "gone")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"cannot list the folder .*file \(Not a directory\)"):
        listed(tmp_path / "file")
