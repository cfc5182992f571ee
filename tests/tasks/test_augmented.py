import making
import torch
from making import seeded
from torch import Tensor

from fewshot_film.tasks import Augmented
from fewshot_film.tasks.plain import EpisodeSampler
from fewshot_film.tasks.transforms import flip_and_crop

DATA = making.image_set([6] * 5, size=16)
SAMPLER = EpisodeSampler(DATA, 3, 1, 2)


def test_labels_are_untouched() -> None:
    plain = SAMPLER.sample(4, seeded())
    episode = Augmented(SAMPLER, flip_and_crop).sample(4, seeded())
    for part, original in ((episode.support, plain.support), (episode.query, plain.query)):
        assert torch.equal(part.labels, original.labels)
        assert part.images.shape == original.images.shape
        assert not torch.equal(part.images, original.images)
    assert torch.equal(episode.class_ids, plain.class_ids)
    assert torch.equal(episode.group, plain.group)


def test_every_image_is_transformed_in_its_place() -> None:
    plain = SAMPLER.sample(4, seeded())
    episode = Augmented(SAMPLER, lambda images, _: 1 - images).sample(4, seeded())
    assert torch.equal(episode.support.images, 1 - plain.support.images)
    assert torch.equal(episode.query.images, 1 - plain.query.images)


def test_every_image_is_transformed_on_its_own() -> None:
    """The transform is given one flat batch: the images of all tasks, and the sampler's rng."""
    given: list[Tensor] = []

    def numbered(images: Tensor, rng: torch.Generator) -> Tensor:
        given.append(torch.rand(len(images), generator=rng))
        return images * 0 + given[-1].view(-1, 1, 1, 1)

    episode = Augmented(SAMPLER, numbered).sample(4, seeded())
    assert torch.equal(episode.support.images[:, :, 0, 0, 0].flatten(), given[0])
    assert torch.equal(episode.query.images[:, :, 0, 0, 0].flatten(), given[1])
    assert len(torch.cat(given).unique()) == 4 * 3 * 3


def test_it_is_a_sampler_like_the_one_inside() -> None:
    augmented = Augmented(SAMPLER, flip_and_crop)
    assert (augmented.way, augmented.shot, augmented.query) == (3, 1, 2)
    assert augmented.groups == SAMPLER.groups
    first, again = augmented.sample(4, seeded(1)), augmented.sample(4, seeded(1))
    assert torch.equal(first.query.images, again.query.images)
