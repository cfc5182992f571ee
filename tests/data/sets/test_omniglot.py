"""Omniglot from small archives of the official layout; the real one where it is at hand."""

import io
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fewshot_film.data.reading.download import Archive, file_md5
from fewshot_film.data.sets import omniglot
from fewshot_film.data.source import SPLITS, DataSource
from fewshot_film.errors import UsageError

Archives = dict[str, Archive]

REAL = os.environ.get("FEWSHOT_FILM_TEST_DATA")
needs_real = pytest.mark.skipif(
    REAL is None or not Path(REAL, "omniglot").is_dir(),
    reason="FEWSHOT_FILM_TEST_DATA names no folder with the real Omniglot",
)


def drawing(number: int, drawer: int) -> bytes:
    """Black on white: a bar at the top, its length telling character and drawer apart."""
    ink = np.zeros((105, 105), dtype=bool)
    ink[: 15 * drawer, : 15 + number % 60] = True
    buffer = io.BytesIO()
    Image.fromarray(~ink).save(buffer, "png")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Archives:
    """All 1623 characters, by two drawers."""
    folder = tmp_path_factory.mktemp("served")
    images = {(n, d): drawing(n, d) for n in range(60) for d in (1, 2)}
    made = {}
    for name, numbers in (
        ("images_background", range(1, 965)),
        ("images_evaluation", range(965, 1624)),
    ):
        path = folder / f"{name}.zip"
        with zipfile.ZipFile(path, "w") as file:
            for n in numbers:
                for d in (1, 2):
                    member = f"{name}/Alphabet_{n // 30}/character{n % 30:02d}/{n:04d}_{d:02d}.png"
                    file.writestr(member, images[n % 60, d])
        made[name] = Archive(path.name, (path.as_uri(),), file_md5(path))
    return made


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, archives: Archives) -> Path:
    root = tmp_path_factory.mktemp("root")
    omniglot.all_characters(root, archives)
    return root


@pytest.mark.slow
def test_the_archives_are_downloaded_unpacked_and_decoded(root: Path, archives: Archives) -> None:
    data = omniglot.all_characters(root, archives)
    assert data.images.shape == (2 * 1623, 1, 28, 28)
    assert torch.equal(data.labels, torch.arange(1623).repeat_interleave(2))
    assert torch.equal(data.domains, torch.tensor([0, 1]).repeat(1623))
    assert data.names[0] == "Alphabet_0/character01"
    assert data.domain_names[:2] == ("drawer 01", "drawer 02")


def test_ink_is_bright_and_upright(root: Path, archives: Archives) -> None:
    image = omniglot.all_characters(root, archives).images[0, 0]
    assert image[0, 0] == 255
    assert image[-1].max() == image[:, -1].max() == 0
    inked = 15 * 16 / 105**2
    assert image.float().mean().item() / 255 == pytest.approx(inked, rel=0.1)


def test_a_split_holds_its_characters_and_their_turns(root: Path, archives: Archives) -> None:
    source = omniglot.source("omniglot", "", omniglot.VINYALS, 4, archives)
    data = source.load(root, "val")
    everything = omniglot.all_characters(root, archives)
    assert len(data.names) == source.classes["val"] == 4 * 172
    upright = omniglot.source("omniglot-lake", "", omniglot.LAKE, 1, archives).load(root, "val")
    assert data.names[:172] == upright.names
    assert [data.names[172 * k] for k in (1, 2, 3)] == [
        f"{upright.names[0]}/rot{degrees}" for degrees in ("090", "180", "270")
    ]
    assert len(set(data.names)) == 4 * 172
    for k in range(4):
        expected = torch.rot90(everything.images[52:54], k, (-2, -1))  # character 27
        assert torch.equal(data.images[data.labels == 172 * k], expected)
    quarter = data.images[data.labels == 172][0, 0]
    assert quarter[-1, 0] == 255, "the top left corner goes to the bottom left"
    assert quarter[0].max() == 0


def test_alphabets_and_drawers(root: Path, archives: Archives) -> None:
    """Turned characters keep their alphabet; a drawer's number counts within it."""
    data = omniglot.source("omniglot", "", omniglot.VINYALS, 4, archives).load(root, "val")
    alphabet, drawer = omniglot.alphabets(data), omniglot.drawers(data)
    names = [data.names[label].split("/")[0] for label in data.labels.tolist()]
    pairs = set(zip(names, alphabet.tolist(), strict=True))
    assert len(pairs) == len(set(names)) == int(alphabet.max()) + 1
    people = set(zip(names, data.domains.tolist(), drawer.tolist(), strict=True))
    assert len(people) == len(set(drawer.tolist())) == 2 * len(pairs)


@pytest.mark.parametrize("ranges", [omniglot.VINYALS, omniglot.LAKE])
def test_the_splits_divide_all_characters(ranges: dict[str, omniglot.Ranges]) -> None:
    numbers = [n for r in ranges.values() for first, last in r for n in range(first, last + 1)]
    assert sorted(numbers) == list(range(1, 1624))


def test_the_split_sizes_are_those_published() -> None:
    assert dict(omniglot.OMNIGLOT.classes) == {"train": 4112, "val": 688, "test": 1692}
    assert dict(omniglot.OMNIGLOT_LAKE.classes) == {"train": 792, "val": 172, "test": 659}


def test_an_unknown_split_is_named() -> None:
    with pytest.raises(UsageError, match="no split 'valid': choose one of train, val, test"):
        omniglot.OMNIGLOT.load(Path("/nowhere"), "valid")


@pytest.mark.parametrize("lost", ["Alphabet_0/character07/0007_02.png", ""])
def test_an_incomplete_tree_is_noticed(
    tmp_path: Path, root: Path, archives: Archives, lost: str
) -> None:
    shutil.copytree(root / "omniglot", tmp_path / "omniglot")
    target = tmp_path / "omniglot" / "images_background" / lost
    if target.is_dir():
        shutil.rmtree(target)
        target.mkdir()
    else:
        target.unlink()
    with pytest.raises(UsageError, match=r"character 000[17] has [01] drawings, another 2; delete"):
        omniglot.all_characters(tmp_path, archives)


def test_a_broken_image_is_named(tmp_path: Path, root: Path, archives: Archives) -> None:
    shutil.copytree(root / "omniglot", tmp_path / "omniglot")
    broken = tmp_path / "omniglot/images_background/Alphabet_0/character07/0007_02.png"
    broken.write_bytes(broken.read_bytes()[:60])
    with pytest.raises(UsageError, match=r"cannot read .*0007_02\.png"):
        omniglot.all_characters(tmp_path, archives)


def test_present_tells_whether_a_download_is_needed(tmp_path: Path, root: Path) -> None:
    assert omniglot.OMNIGLOT.present(root)
    assert not omniglot.OMNIGLOT.present(tmp_path)


@needs_real
@pytest.mark.parametrize("source", [omniglot.OMNIGLOT, omniglot.OMNIGLOT_LAKE])
def test_the_real_omniglot(source: DataSource) -> None:
    assert REAL is not None
    for split in SPLITS:
        data = source.load(Path(REAL), split)
        counts = torch.bincount(data.labels)
        assert len(counts) == len(data.names) == source.classes[split]
        assert len(data) == source.images[split]
        assert set(counts.tolist()) == {20}
        assert set(torch.bincount(data.domains).tolist()) == {source.classes[split]}
        assert 5 < data.images.float().mean() < 40, "a little ink on dark paper"


@needs_real
def test_the_real_alphabets_are_those_of_the_splits() -> None:
    assert REAL is not None
    data = omniglot.all_characters(Path(REAL))
    assert len(data.names) == 1623
    validation = omniglot.OMNIGLOT_LAKE.load(Path(REAL), "val")
    alphabets = {name.split("/")[0] for name in validation.names}
    five = {"Armenian", "Bengali", "Early_Aramaic", "Hebrew", "Mkhedruli_(Georgian)"}
    assert alphabets == five
