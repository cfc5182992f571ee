"""Protocol: what a figure was asked for, to be printed beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fewshot_film.config.config import Config


@dataclass(frozen=True)
class Protocol:
    """What was asked of a classifier; the same protocol draws the same episodes for every run.

    `trained_shot` is the shot of the run's training; `known_classes` counts the classes of the
    split that it was trained on or chosen by, which is fair where `domains`, those that are tested,
    are new.
    """

    dataset: str
    split: str
    way: int
    shot: int
    query: int
    episodes: int
    seed: int
    image_size: int
    channels: int
    transductive: bool = False
    trained_shot: int | None = None
    known_classes: int = 0
    domains: str = ""
    query_draw: str = "balanced"

    def __str__(self) -> str:
        """The protocol as a line to print beside every figure."""
        side = self.image_size
        return (
            f"{self.dataset} {self.split}{self._in_domains()}: "
            f"{self.way}-way {self.shot}-shot{self._other_shot()}, {self._queries()}, "
            f"{self.episodes} episode{'s' * (self.episodes != 1)}, seed {self.seed}, "
            f"{side}x{side}x{self.channels} images, "
            f"{'transductive' if self.transductive else 'inductive'}{self._known_classes()}"
        )

    def _in_domains(self) -> str:
        return f" ({self.domains.replace(',', ', ')})" if self.domains else ""

    def _queries(self) -> str:
        if self.query_draw == "balanced":
            return f"{self.query} queries a class"
        return f"{self.way * self.query} queries drawn uniformly"

    def _other_shot(self) -> str:
        if self.trained_shot in (None, self.shot):
            return ""
        return f" (trained with {self.trained_shot}-shot tasks)"

    def _known_classes(self) -> str:
        known = self.known_classes
        if known and self.domains and self.split == "test":
            return ", known classes in domains never seen"
        return f", {known} of its classes were trained on or chosen by" if known else ""


def protocol_of(config: Config, split: str, domains: Sequence[str]) -> Protocol:
    """What a Config asks for, as a protocol; of the run that is asked nothing is known yet."""
    return Protocol(
        dataset=config.data or config.dataset,
        split=split,
        way=config.test_way,
        shot=config.shot,
        query=config.query,
        episodes=config.test_episodes,
        seed=config.seed,
        image_size=config.size,
        channels=config.channels,
        domains=",".join(domains),
    )
