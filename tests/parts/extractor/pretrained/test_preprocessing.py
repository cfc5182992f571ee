import json
from dataclasses import asdict

import pytest
import torch

from fewshot_film.errors import UsageError
from fewshot_film.parts.extractor.pretrained.preprocessing import Preprocessing

IMAGENET = Preprocessing(
    mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), size=224, crop=0.875
)


@pytest.mark.parametrize("batch", [(), (2,), (3, 2)])
def test_every_channel_has_its_own_mean_and_std(
    batch: tuple[int, ...], rng: torch.Generator
) -> None:
    images = torch.rand(*batch, 3, 4, 5, generator=rng)
    found = IMAGENET(images)
    for channel in range(3):
        expected = (images[..., channel, :, :] - IMAGENET.mean[channel]) / IMAGENET.std[channel]
        torch.testing.assert_close(found[..., channel, :, :], expected)


def test_images_keep_their_dtype() -> None:
    assert IMAGENET(torch.zeros(3, 1, 1, dtype=torch.float64)).dtype == torch.float64


def test_it_survives_json() -> None:
    stored = json.loads(json.dumps(asdict(IMAGENET)))
    assert Preprocessing.from_dict(stored) == IMAGENET


def test_it_is_one_readable_line() -> None:
    assert str(IMAGENET) == (
        "mean 0.485/0.456/0.406, std 0.229/0.224/0.225, 224 px, bilinear, crop 0.875"
    )
    assert "32 px only" in str(Preprocessing(mean=(0.5,), std=(0.5,), size=32, fixed=True))


@pytest.mark.parametrize(
    ("mean", "std", "size", "crop", "named"),
    [
        ((0.5, 0.5), (0.5,), 8, 1.0, "`std` is"),
        ((0.5,), (0.0,), 8, 1.0, "`std` is"),
        ((0.5,), (0.5,), 0, 1.0, "`size` is 0"),
        ((0.5,), (0.5,), 8, 0.0, "`crop` 0.0"),
        ((0.5,), (0.5,), 8, 1.5, "`crop` 1.5"),
    ],
)
def test_what_no_network_wants_is_refused(
    mean: tuple[float, ...], std: tuple[float, ...], size: int, crop: float, named: str
) -> None:
    with pytest.raises(UsageError, match=named):
        Preprocessing(mean=mean, std=std, size=size, crop=crop)
