"""PACS and Office-Caltech10 from small pictures in their layout."""

from pathlib import Path

import pytest
from official import domain_folders

from fewshot_film.data.image_set import ImageSet
from fewshot_film.data.sets.domain_folders import OFFICE_CALTECH10, PACS, source
from fewshot_film.data.source import SPLITS, DataSource
from fewshot_film.errors import UsageError

DOMAINS, CLASSES = ("photo", "sketch", "print"), ("cat", "dog")
SOME = source("pets", "", "my_pets", DOMAINS, CLASSES, dict.fromkeys(SPLITS, 0))


@pytest.fixture(autouse=True)
def users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    domain_folders(tmp_path / "root" / "my_pets", DOMAINS, CLASSES)
    return tmp_path / "root"


def shown(data: ImageSet) -> list[tuple[int, int, int]]:
    """(domain, class, image) as the pixels tell it."""
    red, green, blue = data.images[:, :, 40, 40].unbind(1)
    triples = zip((red // 50).tolist(), (green // 20).tolist(), (blue // 10).tolist(), strict=True)
    return list(triples)


@pytest.mark.parametrize("split", SPLITS)
def test_pixels_labels_and_domains_belong_together(root: Path, split: str) -> None:
    data = SOME.load(root, split)
    assert (data.names, data.domain_names) == (CLASSES, DOMAINS)
    assert data.images.shape[1:] == (3, 96, 96)
    told = list(zip(data.domains.tolist(), data.labels.tolist(), strict=True))
    assert told == [(d, c) for d, c, _ in shown(data)]


def test_train_and_val_divide_what_test_holds(root: Path) -> None:
    train, val, test = (set(shown(SOME.load(root, split))) for split in SPLITS)
    assert test == {(d, c, i) for d in range(3) for c in range(2) for i in range(12)}
    assert val == {(d, c, i) for d, c, i in test if i in (0, 10)}
    assert train == test - val


def test_other_folders_are_left_alone(root: Path) -> None:
    domain_folders(root / "my_pets", ["clip art"], CLASSES)
    domain_folders(root / "my_pets", ["photo"], ["bird"])
    assert SOME.load(root, "test").names == CLASSES
    assert len(SOME.load(root, "test")) == 72


def test_a_changed_picture_is_decoded_anew(root: Path) -> None:
    before = SOME.load(root, "test")
    (root / "my_pets" / "sketch" / "dog" / "03.png").unlink()
    assert len(SOME.load(root, "test")) == len(before) - 1


def test_presence(root: Path, tmp_path: Path) -> None:
    assert SOME.present(root)
    assert not SOME.present(tmp_path)


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        (".", "there is no folder .*my_pets/photo/cat"),
        ("print", "there is no folder .*my_pets/print/cat"),
        ("sketch/dog", "there is no folder .*my_pets/sketch/dog"),
    ],
)
def test_what_is_missing_is_named(root: Path, missing: str, says: str) -> None:
    folder = root / "my_pets" / missing
    folder.rename(root / "elsewhere")
    layout = r"my_pets/<photo\|sketch\|print>/<class>/<picture>"
    with pytest.raises(
        UsageError,
        match=rf"{says}: have the data as {layout} under the data root, which `data_root` or "
        "FEWSHOT_FILM_DATA names",
    ):
        SOME.load(root, "train")


def test_a_class_without_pictures_is_named(root: Path) -> None:
    for path in (root / "my_pets" / "photo" / "dog").iterdir():
        path.rename(path.with_suffix(".txt"))
    with pytest.raises(UsageError, match=r"no picture lies in .*photo/dog: have the data as"):
        SOME.load(root, "val")


def test_an_unreadable_picture_is_named(root: Path) -> None:
    broken = root / "my_pets" / "sketch" / "cat" / "05.png"
    broken.write_bytes(broken.read_bytes()[:50])
    with pytest.raises(UsageError, match=r"cannot read the image .*sketch/cat/05\.png"):
        SOME.load(root, "test")


def test_an_unknown_split_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="pets has no split 'dev': choose one of train, val, test"):
        SOME.load(tmp_path, "dev")


PUBLISHED = (
    (
        PACS,
        "pacs",
        "art_painting cartoon photo sketch",
        "dog elephant giraffe guitar horse house person",
    ),
    (
        OFFICE_CALTECH10,
        "office_caltech10",
        "amazon caltech dslr webcam",
        "backpack bike calculator headphones keyboard laptop_computer monitor mouse mug projector",
    ),
)


@pytest.mark.parametrize(("some", "folder", "domains", "classes"), PUBLISHED)
def test_the_published_sets(
    tmp_path: Path, some: DataSource, folder: str, domains: str, classes: str
) -> None:
    domain_folders(tmp_path / folder, domains.split(), classes.split(), each=2)
    for split, each in (("train", 1), ("val", 1), ("test", 2)):
        data = some.load(tmp_path, split)
        assert " ".join(data.domain_names) == " ".join(some.domains) == domains
        assert " ".join(data.names) == classes
        assert len(data) == each * len(data.names) * len(data.domain_names)
        assert some.classes[split] == len(data.names)
    assert some.images["train"] + some.images["val"] == some.images["test"]
