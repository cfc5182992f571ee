"""Digits of four domains from small files in the official layouts."""

import bz2
import gzip
from pathlib import Path

import numpy as np
import pytest
import torch
from official import DIGIT_DOMAINS, digits, idx, shade

from fewshot_film.data.reading.download import Archive, file_md5
from fewshot_film.data.sets.digits import ARCHIVES, DIGITS, Archives, source
from fewshot_film.data.source import SPLITS
from fewshot_film.errors import UsageError

RAW = "MNIST/raw"
IMAGES, LABELS = f"{RAW}/train-images-idx3-ubyte", f"{RAW}/train-labels-idx1-ubyte"


@pytest.fixture(autouse=True)
def users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return digits(tmp_path / "root")


def test_every_split_holds_every_digit_in_every_domain(tmp_path: Path) -> None:
    root = digits(tmp_path, train=21, test=2)
    for split, each in (("train", 18), ("val", 3), ("test", 2)):
        data = DIGITS.load(root, split)
        assert data.domain_names == DIGITS.domains == DIGIT_DOMAINS
        assert data.names == tuple("0123456789")
        cells = torch.bincount(data.labels * 4 + data.domains, minlength=40)
        assert set(cells.tolist()) == {each}


@pytest.mark.parametrize("split", SPLITS)
def test_pixels_labels_and_domains_belong_together(root: Path, split: str) -> None:
    data = DIGITS.load(root, split)
    assert data.images.shape[1:] == (3, 32, 32)
    told = zip(data.domains.tolist(), data.labels.tolist(), strict=True)
    shades = torch.tensor([shade(DIGIT_DOMAINS[d], digit) for d, digit in told])
    assert (data.images[:, :, 4, 16] == shades.unsqueeze(1)).all(), "the upper half"
    assert (data.images[:, :, 28, 16] == 0).all(), "the lower half"


def test_a_second_load_is_the_same(root: Path) -> None:
    first, second = DIGITS.load(root, "val"), DIGITS.load(root, "val")
    assert torch.equal(first.images, second.images)
    assert torch.equal(first.domains, second.domains)
    assert (root / "decoded" / "digits-train.npz").is_file()


def test_presence(root: Path, tmp_path: Path) -> None:
    assert DIGITS.present(root)
    assert not DIGITS.present(tmp_path)
    (root / LABELS).unlink()
    assert not DIGITS.present(root)


def served(root: Path, folder: Path) -> Archives:
    """The root's MNIST and USPS files, packed and moved into `folder`, as archives to download."""
    archives: dict[str, dict[str, Archive]] = {}
    folder.mkdir()
    for place, group in ARCHIVES.items():
        archives[place] = {}
        for name in group:
            path, file = folder / name, root / place / name
            if name.endswith(".gz"):
                file = file.with_suffix("")
                path.write_bytes(gzip.compress(file.read_bytes()))
            else:
                path.write_bytes(file.read_bytes())
            file.unlink()
            archives[place][name] = Archive(name, (path.as_uri(),), file_md5(path))
    return archives


def test_mnist_and_usps_are_downloaded(root: Path, tmp_path: Path) -> None:
    expected = DIGITS.load(root, "test")
    some = source(served(root, tmp_path / "served"))
    assert not some.present(root)
    found = some.load(root, "test")
    assert torch.equal(found.images, expected.images)
    assert torch.equal(found.labels, expected.labels)
    assert some.present(root)


def test_other_bytes_are_not_taken_for_the_download(root: Path, tmp_path: Path) -> None:
    archives = served(root, tmp_path / "served")
    (tmp_path / "served" / "usps.bz2").write_bytes(bz2.compress(b""))
    with pytest.raises(UsageError, match=r"could not download usps\.bz2 \(expected MD5"):
        source(archives).load(root, "train")


def test_missing_pictures_are_named_before_any_download(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError,
        match=r"no folder .*svhn/test/0: have the data as <svhn\|mnist-m>/<train\|test>/<digit>/"
        r"<picture> under the data root, which `data_root` or FEWSHOT_FILM_DATA names",
    ):
        DIGITS.load(tmp_path, "test")


def test_an_unknown_split_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="digits has no split 'all': choose one of train, val, te"):
        DIGITS.load(tmp_path, "all")


def test_files_that_do_not_belong_together_are_named(root: Path) -> None:
    (root / LABELS).write_bytes(idx(np.zeros(29)))
    with pytest.raises(
        UsageError,
        match=r"train-images-idx3-ubyte holds 30 images of 28 x 28 and .*train-labels-idx1-ubyte "
        r"29 labels, as many of 28 x 28 are expected: delete both",
    ):
        DIGITS.load(root, "train")


def test_images_of_another_size_are_named(root: Path) -> None:
    (root / IMAGES).write_bytes(idx(np.zeros((30, 14, 28))))
    with pytest.raises(UsageError, match=r"holds 30 images of 14 x 28 .* 28 x 28 are expected"):
        DIGITS.load(root, "train")


def test_labels_of_no_digit_are_named(root: Path) -> None:
    (root / LABELS).write_bytes(idx(np.full(30, 10)))
    with pytest.raises(UsageError, match="labels-idx1-ubyte holds a label for 10, which is no"):
        DIGITS.load(root, "train")


def test_a_label_of_usps_below_one_is_named(root: Path) -> None:
    change_usps(root, b"10 1:", b"0 1:")
    with pytest.raises(UsageError, match=r"usps\.bz2 holds a label for -1, which is no digit"):
        DIGITS.load(root, "val")


def test_a_pixel_of_usps_out_of_range_is_named(root: Path) -> None:
    change_usps(root, b"256:-1.0000", b"256:2.0000")
    with pytest.raises(UsageError, match=r"usps\.bz2 holds a pixel beyond -1 and 1"):
        DIGITS.load(root, "val")


def test_an_unreadable_picture_is_named(root: Path) -> None:
    broken = next((root / "mnist-m" / "train" / "7").iterdir())
    broken.write_bytes(broken.read_bytes()[:50])
    with pytest.raises(UsageError, match=r"cannot read the image .*mnist-m/train/7/"):
        DIGITS.load(root, "train")


def change_usps(root: Path, old: bytes, new: bytes) -> None:
    path = root / "usps" / "usps.bz2"
    path.write_bytes(bz2.compress(bz2.decompress(path.read_bytes()).replace(old, new)))
