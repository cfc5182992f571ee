import making
import pytest
import torch
from making import seeded
from torch import Tensor

from fewshot_film.data.sets.glyphs.renderings import RENDERINGS, UNSEEN
from fewshot_film.data.sets.glyphs.shapes import jittered
from fewshot_film.tasks import Rendered, rendered
from fewshot_film.tasks.plain import EpisodeSampler

DATA = making.image_set([6] * 5, size=12)
SAMPLER = EpisodeSampler(DATA, 3, 1, 2)
CODES = (6, 0, 3)


def test_labels_are_untouched() -> None:
    plain, episode = SAMPLER.sample(4, seeded()), Rendered(SAMPLER, CODES).sample(4, seeded())
    for part, original in ((episode.support, plain.support), (episode.query, plain.query)):
        assert torch.equal(part.labels, original.labels)
        assert part.images.shape == original.images.shape
        assert 0 <= part.images.min() <= part.images.max() <= 1
    assert torch.equal(episode.class_ids, plain.class_ids)


def test_a_task_is_drawn_in_the_rendering_of_its_group(monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[Tensor] = []

    def render(images: Tensor, rendering: Tensor, rng: torch.Generator) -> Tensor:
        assert rng is not None
        codes.append(rendering)
        return images

    monkeypatch.setattr(rendered, "render", render)
    sampler = Rendered(SAMPLER, CODES)
    assert len(sampler.groups) == len(CODES)
    for group, code in zip(sampler.groups, CODES, strict=True):
        assert RENDERINGS[code] in group
        assert ("unseen" in group) == (code in UNSEEN)
    episode = sampler.sample(30, seeded())
    support, query = (given.view(30, -1) for given in codes)
    expected = torch.tensor(CODES)[episode.group].unsqueeze(1)
    assert (support == expected).all()
    assert (query == expected).all()
    assert set(episode.group.tolist()) == {0, 1, 2}


def test_renderings_are_equally_likely() -> None:
    sampler = Rendered(SAMPLER, CODES)
    times = torch.bincount(sampler.sample(900, seeded()).group, minlength=3).double()
    assert ((times - 300) ** 2 / 300).sum() < 13.9


def test_low_contrast_tasks_look_it() -> None:
    episode = Rendered(SAMPLER, [6]).sample(3, seeded())
    for part in (episode.support, episode.query):
        assert part.images.min() >= 0.4 - 1e-6
        assert part.images.max() <= 0.6 + 1e-6


def test_every_image_is_deformed_on_its_own() -> None:
    one = making.pictures(1, size=28).expand(12, -1, -1, -1)
    out = jittered(one, seeded())
    assert len(out.flatten(1).unique(dim=0)) == 12
    assert torch.equal(out, jittered(one, seeded()))


def test_it_is_a_function_of_the_generator() -> None:
    sampler = Rendered(SAMPLER, CODES)
    assert (sampler.way, sampler.shot, sampler.query) == (3, 1, 2)
    first, again = sampler.sample(4, seeded(1)), sampler.sample(4, seeded(1))
    assert torch.equal(first.query.images, again.query.images)
    assert torch.equal(first.group, again.group)


@pytest.mark.gpu
def test_the_device_draws_the_same_tasks() -> None:
    expected = Rendered(SAMPLER, CODES).sample(4, seeded())
    there = Rendered(EpisodeSampler(DATA.to("cuda"), 3, 1, 2), CODES).sample(4, seeded())
    assert there.support.images.is_cuda
    assert torch.equal(there.group.cpu(), expected.group)
    torch.testing.assert_close(there.query.images.cpu(), expected.query.images, rtol=0, atol=1e-3)
