"""Episodes by number: the law that every comparison rests on."""

from __future__ import annotations

from collections.abc import Iterator

from fewshot_film.base.seeding import TEST, generator
from fewshot_film.tasks.episode import Episode, Sampler


def numbered(
    sampler: Sampler, episodes: int, seed: int = 0, stream: int = TEST
) -> Iterator[Episode]:
    """(sampler, seed, stream) -> its episodes 0, 1, ..., one task each.

    Episode i depends on (seed, stream, i) alone: not on who asks, on how many are drawn or at once,
    or on the device.
    """
    for i in range(episodes):
        yield sampler.sample(1, generator(seed, stream, i))
