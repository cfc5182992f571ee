import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.Image import open as open_image

from fewshot_film.data.sets.folder import folder_source, split_by_name
from fewshot_film.data.source import SPLITS
from fewshot_film.errors import UsageError

NAMES = [f"class {i:02d}" for i in range(12)]


@pytest.fixture(autouse=True)
def users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))


def fill(folder: Path, names: Sequence[str], mode: str = "RGB", pictures: int = 2) -> Path:
    """Pictures whose brightness tells the class."""
    for i, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for k in range(pictures):
            grey = Image.new("L", (20 + k, 16), 10 * i)
            grey.convert(mode).save(folder / name / f"{k}.png")
    return folder


def test_every_class_is_in_one_split(tmp_path: Path) -> None:
    source = folder_source(fill(tmp_path / "pets", NAMES), 8)
    parts = {split: source.load(tmp_path, split) for split in SPLITS}
    assert sorted(n for data in parts.values() for n in data.names) == NAMES
    for split, data in parts.items():
        assert len(data.names) == source.classes[split] > 0
        assert len(data) == source.images[split] == 2 * len(data.names)
        assert data.images.shape[1:] == (3, 8, 8)
        assert data.domain_names == ("pets",)
        shown = (data.images[:, 0, 0, 0] // 10).tolist()
        assert shown == [NAMES.index(data.names[label]) for label in data.labels]


def test_all_is_every_class(tmp_path: Path) -> None:
    source = folder_source(fill(tmp_path / "pets", ["a", "b"]), 8)
    assert set(source.classes) == {"all"}
    assert source.load(tmp_path, "all").names == ("a", "b")
    with pytest.raises(UsageError, match="no split 'train': choose one of all, or add classes: 3"):
        source.load(tmp_path, "train")
    with pytest.raises(UsageError, match=r"no split 'dev': choose one of all$"):
        source.load(tmp_path, "dev")


def test_split_folders_are_followed(tmp_path: Path) -> None:
    path = tmp_path / "pets"
    fill(path / "train", ["c", "a"])
    fill(path / "test", ["b"])
    source = folder_source(path, 8)
    assert dict(source.classes) == {"train": 2, "test": 1, "all": 3}
    assert source.load(tmp_path, "train").names == ("a", "c")
    assert source.load(tmp_path, "test").names == ("b",)
    with pytest.raises(
        UsageError, match=r"no split 'val': .*test, all, or put a folder val of othe"
    ):
        source.load(tmp_path, "val")


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    source = folder_source(fill(tmp_path / "vehicles", ["bus", "test", "train", "tram"]), 8)
    assert source.load(tmp_path, "all").names == ("bus", "test", "train", "tram")


def test_grey_if_all_are_grey(tmp_path: Path) -> None:
    path = fill(tmp_path / "grey", ["a", "b", "c"], "L")
    assert folder_source(path, 8).channels is None
    assert folder_source(path, 8).load(tmp_path, "all").channels == 1
    assert folder_source(path, 8, channels=3).load(tmp_path, "all").channels == 3
    fill(path, ["d"], "RGB")
    assert folder_source(path, 8).load(tmp_path, "train").channels == 3


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("first", [None, 1, 3])
@pytest.mark.parametrize("second", [None, 1, 3])
def test_what_others_kept_changes_no_byte(
    tmp_path: Path, mode: str, first: int | None, second: int | None
) -> None:
    """Grey asked of coloured pictures is another decoding than theirs."""
    path = fill(tmp_path / "pets", ["a", "b"])
    for name in ("a/0.png", "b/1.png"):
        Image.effect_noise((19, 15), 80).convert(mode).save(path / name)
    expected = folder_source(path, 8, second).load(tmp_path / "fresh", "all")
    folder_source(path, 8, first).load(tmp_path / "root", "all")
    found = folder_source(path, 8, second).load(tmp_path / "root", "all")
    assert torch.equal(found.images, expected.images)
    assert found.channels == (second or 3)


class Count:
    """How often each folder was listed and each picture opened."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.listings: Counter[Path] = Counter()
        self.openings: Counter[Path] = Counter()
        watched = ((os, "scandir"), (os, "listdir"), (Path, "iterdir"))
        for owner, name in watched:
            real = getattr(owner, name)
            monkeypatch.setattr(owner, name, self.counting(folder, real, self.listings))
        monkeypatch.setattr(Image, "open", self.counting(folder, open_image, self.openings))

    @staticmethod
    def counting(folder: Path, real: Callable[..., object], into: Counter[Path]) -> object:
        def counted(path: int | str | Path = ".") -> object:
            if not isinstance(path, int) and Path(path).is_relative_to(folder):
                into[Path(path)] += 1
            return real(path)

        return counted


@pytest.mark.parametrize("split", ["", "train"])
@pytest.mark.parametrize("channels", [None, 1, 3])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_folder_is_listed_once_and_a_picture_opened_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, channels: int | None, split: str
) -> None:
    """Whatever is loaded of a source; where another process decoded them, none is opened."""
    path = tmp_path / "pets"
    fill(path / split, NAMES[:6], mode)
    fill(path / split.replace("train", "val"), NAMES[6:9], mode)
    fill(path / split.replace("train", "test"), NAMES[9:], mode)
    folders = [path, *(p for p in path.rglob("*") if p.is_dir())]
    pictures = list(path.rglob("*.png"))
    count = Count(path, monkeypatch)
    for opened in (pictures, []):
        source = folder_source(path, 8, channels)
        loaded = [source.load(tmp_path, s) for s in (*SPLITS, "all", "train")]
        assert len(loaded[3]) == sum(map(len, loaded[:3])) == 24
        assert count.listings == Counter(folders)
        assert count.openings == Counter(opened)
        count.listings.clear()
        count.openings.clear()


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize(("first", "second"), [(1, None), (None, 1), (3, None), (None, 3), (1, 3)])
def test_what_was_decoded_for_others_serves(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
    first: int | None,
    second: int | None,
) -> None:
    """A run in grey and an evaluation that takes what comes; only coloured ones in grey differ."""
    path = fill(tmp_path / "pets", NAMES, mode)
    folder_source(path, 8, first).load(tmp_path, "train")
    count = Count(path, monkeypatch)
    folder_source(path, 8, second).load(tmp_path, "train")
    again = mode == "RGB" and 1 in (first, second)
    assert count.openings.total() == (24 if again else 0)


def test_nothing_is_opened_twice_where_nothing_can_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fill(tmp_path / "pets", NAMES)
    for name in ("decoded", "home"):
        (tmp_path / name).touch()  # files where the folders would be
    count = Count(path, monkeypatch)
    source = folder_source(path, 8)
    for split in SPLITS:
        source.load(tmp_path, split)
    assert set(count.openings.values()) == {1}


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_the_folders_own_name_may_be_no_text(tmp_path: Path) -> None:
    path = fill(Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")), ["a", "b"])
    source = folder_source(path, 8)
    assert source.name == "caf\ufffd"
    assert source.load(tmp_path, "all").names == ("a", "b")
    assert folder_source(path, 8).load(tmp_path, "all").domain_names == ("caf\ufffd",)


def test_what_is_hidden_or_no_picture_is_passed_over(tmp_path: Path) -> None:
    path = fill(tmp_path / "pets", NAMES)
    for name in (".DS_Store", "readme.txt", f"{NAMES[0]}/.hidden.png", f"{NAMES[0]}/notes.csv"):
        (path / name).write_text("no picture")
    (path / ".thumbnails").mkdir()
    assert folder_source(path, 8).load(tmp_path, "all").names == tuple(NAMES)


def test_a_changed_folder_is_read_again(tmp_path: Path) -> None:
    path = fill(tmp_path / "pets", NAMES)
    assert len(folder_source(path, 8).load(tmp_path, "all")) == 24
    Image.new("RGB", (9, 9), "white").save(path / NAMES[0] / "new.png")
    data = folder_source(path, 8).load(tmp_path, "all")
    assert len(data) == 25
    assert data.images[2].min() == 255
    assert folder_source(path, 6).load(tmp_path, "all").images.shape[-2:] == (6, 6)


def test_folders_of_one_name_do_not_share_a_cache(tmp_path: Path) -> None:
    first = folder_source(fill(tmp_path / "one" / "pets", ["a", "b"]), 8)
    second = folder_source(fill(tmp_path / "two" / "pets", ["b", "c"]), 8)
    for _ in range(2):
        assert first.load(tmp_path, "all").names == ("a", "b")
        assert second.load(tmp_path, "all").names == ("b", "c")


def test_the_folder_itself_is_not_written(tmp_path: Path) -> None:
    path = fill(tmp_path / "pets", NAMES)
    before = sorted(path.rglob("*"))
    first = folder_source(path, 8).load(tmp_path, "all")
    assert torch.equal(first.images, folder_source(path, 8).load(tmp_path, "all").images)
    assert sorted(path.rglob("*")) == before


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no folder .*nothing"):
        folder_source(tmp_path / "nothing", 8)


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is empty: put a folder of pictures for each class"):
        folder_source(tmp_path, 8)


def test_a_class_without_pictures_is_named(tmp_path: Path) -> None:
    (fill(tmp_path / "pets", NAMES) / "bare").mkdir()
    with pytest.raises(UsageError, match=r"class folder .*bare holds no picture"):
        folder_source(tmp_path / "pets", 8)


def test_pictures_outside_a_class_are_named(tmp_path: Path) -> None:
    path = fill(tmp_path / "pets", NAMES)
    Image.new("L", (4, 4)).save(path / "loose.png")
    with pytest.raises(UsageError, match=r"loose\.png lies outside a class"):
        folder_source(path, 8)


def test_a_class_in_two_splits_is_named(tmp_path: Path) -> None:
    fill(tmp_path / "pets" / "train", ["cat", "dog"])
    fill(tmp_path / "pets" / "test", ["cat"])
    with pytest.raises(UsageError, match="'cat' lies in several splits"):
        folder_source(tmp_path / "pets", 8)


def test_an_unreadable_picture_is_named(tmp_path: Path) -> None:
    path = fill(tmp_path / "pets", NAMES)
    broken = path / NAMES[3] / "1.png"
    broken.write_bytes(broken.read_bytes()[:50])
    with pytest.raises(UsageError, match=r"cannot read the image .*class 03/1\.png"):
        folder_source(path, 8).load(tmp_path, "all")


def test_other_numbers_of_channels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="`channels` is 2"):
        folder_source(fill(tmp_path / "pets", NAMES), 8, channels=2)


names = st.lists(st.text(min_size=1), min_size=3, max_size=60, unique=True)


@given(names)
def test_no_split_is_empty_and_all_classes_are_used(names: list[str]) -> None:
    parts = split_by_name(names)
    assert tuple(parts) == SPLITS
    assert all(parts.values())
    assert sorted(n for part in parts.values() for n in part) == sorted(names)


def test_adding_classes_moves_none() -> None:
    before = split_by_name([f"class {i}" for i in range(40)])
    after = split_by_name([f"class {i}" for i in range(80)])
    assert all(set(before[split]) <= set(after[split]) for split in SPLITS)


def test_the_shares_are_those_stated() -> None:
    parts = split_by_name([f"class {i}" for i in range(2000)])
    shares = [len(parts[split]) / 2000 for split in SPLITS]
    assert shares == pytest.approx([0.64, 0.16, 0.20], abs=0.03)


def test_two_classes_cannot_be_divided() -> None:
    with pytest.raises(UsageError, match=r"2 classes \(a, b\) cannot be divided"):
        split_by_name(["a", "b"])


def test_split_folders_by_other_names(tmp_path: Path) -> None:
    for split in ("train", "validation"):
        (tmp_path / split / "cat").mkdir(parents=True)
        Image.new("L", (8, 8)).save(tmp_path / split / "cat" / "1.png")
    with pytest.raises(
        UsageError, match=r"train holds folders, not pictures.* train, val and test"
    ):
        folder_source(tmp_path, 8)
