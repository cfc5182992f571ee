"""Protocol: what a figure was asked for, to be printed beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import get_type_hints

from fewshot_film.base.values import checked
from fewshot_film.config.config import Config, Count, QueryDraw, Seed, Way
from fewshot_film.errors import UsageError


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

    @staticmethod
    def of(config: Config, split: str = "test", domains: Sequence[str] = ()) -> Protocol:
        """How a Config is validated and tested; of the run that is asked nothing is known yet."""
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

    @property
    def tested_domains(self) -> tuple[str, ...]:
        """The domains that tasks are drawn from, of a data set that is divided by them."""
        return tuple(self.domains.split(",")) if self.domains else ()

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


@dataclass(frozen=True)
class Question:
    """What to ask of a run; what is left out is as the run was trained and tested."""

    dataset: str | None = None
    """Data set by name; `fewshot-film datasets` lists them."""
    data: str | None = None
    """A folder of class folders, instead of a data set. Pictures are resized, shorter side first,
    and cropped to the size the run takes."""
    split: str = "test"
    """train, val or test; for a folder also all."""
    domains: str | None = None
    """Domains to test on, with commas between them, of a data set that has several."""
    way: Way | None = None
    """Classes a task."""
    shot: Count | None = None
    """Support images a class."""
    query: Count | None = None
    """Query images a class."""
    query_draw: QueryDraw = "balanced"
    """As many queries of every class, or as many in all, drawn uniformly over the images of the
    task's classes (as TADAM tests)."""
    episodes: Count = 1000
    """Tasks to draw."""
    seed: Seed = 0
    """Which tasks: one seed draws the same ones for every run, batch size and device."""
    convert_channels: bool = False
    """Turn grey images into colour ones, or the reverse, where the run needs it."""

    def __post_init__(self) -> None:
        if self.dataset and self.data:
            raise UsageError(
                f"`dataset` {self.dataset} and `data` {self.data} were both given; pass one of them"
            )
        for name, hint in get_type_hints(Question, include_extras=True).items():
            checked(name, getattr(self, name), hint)

    def over(self, tested: Protocol) -> Protocol:
        """A protocol with what is asked for in its place."""
        asked = {name: getattr(self, name) for name in ("way", "shot", "query")}
        return replace(
            tested,
            split=self.split,
            query_draw=self.query_draw,
            episodes=self.episodes,
            seed=self.seed,
            **{name: value for name, value in asked.items() if value is not None},
        )
