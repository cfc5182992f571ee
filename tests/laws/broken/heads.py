"""Heads that break a law."""

from typing import final

import torch
from torch import Tensor

from fewshot_film.parts.head import HeadParams, PrototypeHead


class Squared(PrototypeHead):
    """Squared distances, which break no law."""

    def __init__(self) -> None:
        super().__init__()


@final
class Renaming(Squared):
    """It weighs classes by their numbers."""

    def score(self, queries: Tensor, fitted: HeadParams) -> Tensor:
        logits = super().score(queries, fitted)
        return logits * torch.arange(1, logits.shape[2] + 1)


@final
class Ordered(Squared):
    """It weighs examples by their place."""

    def estimate(self, features: Tensor, labels: Tensor, way: int) -> HeadParams:
        place = torch.arange(1, features.shape[1] + 1).unsqueeze(1)
        return super().estimate(features * place / place.sum(), labels, way)


@final
class MixingQueries(Squared):
    """It takes the mean of all queries away."""

    def score(self, queries: Tensor, fitted: HeadParams) -> Tensor:
        logits = super().score(queries, fitted)
        return logits - logits.mean(1, keepdim=True)


@final
class MixingTasks(Squared):
    """It takes the mean of all tasks away."""

    def score(self, queries: Tensor, fitted: HeadParams) -> Tensor:
        logits = super().score(queries, fitted)
        return logits - logits.mean(0, keepdim=True)


@final
class FittingTogether(Squared):
    """It takes the mean of all tasks' support sets away."""

    def estimate(self, features: Tensor, labels: Tensor, way: int) -> HeadParams:
        return super().estimate(features - features.mean((0, 1)), labels, way)


@final
class Farther(Squared):
    """Its logits are distances."""

    def score(self, queries: Tensor, fitted: HeadParams) -> Tensor:
        return -super().score(queries, fitted)


@final
class Half(Squared):
    """It leaves the precision to autocast."""

    def forward(self, queries: Tensor, fitted: HeadParams) -> Tensor:
        return queries @ fitted["prototypes"].transpose(1, 2)


@final
class Coarse(Squared):
    """It computes in float32 whatever it is given."""

    def score(self, queries: Tensor, fitted: HeadParams) -> Tensor:
        return super().score(queries.float(), {n: v.float() for n, v in fitted.items()})


@final
class Detached(Squared):
    """Its prototypes are constants."""

    def estimate(self, features: Tensor, labels: Tensor, way: int) -> HeadParams:
        return super().estimate(features.detach(), labels, way)


@final
class DetachedQueries(Squared):
    """Its queries are constants."""

    def score(self, queries: Tensor, fitted: HeadParams) -> Tensor:
        return super().score(queries.detach(), fitted)


@final
class Varying(Squared):
    """It divides by the variance within the classes."""

    def estimate(self, features: Tensor, labels: Tensor, way: int) -> HeadParams:
        fitted = super().estimate(features, labels, way)
        means = fitted["prototypes"].gather(1, labels.unsqueeze(2).expand_as(features))
        variance = (features - means).square().mean((1, 2), keepdim=True)
        return {"prototypes": fitted["prototypes"] / variance}


@final
class Rooted(Squared):
    """It takes the root of a distance that may be zero, or less by rounding."""

    def score(self, queries: Tensor, fitted: HeadParams) -> Tensor:
        return -(-super().score(queries, fitted)).sqrt()


@final
class Seeing(Squared):
    """It leaves nothing out."""

    def score_left_out(self, features: Tensor, labels: Tensor, way: int) -> Tensor:
        return self.score(features, self.estimate(features, labels, way))


@final
class Willing(Squared):
    """It leaves out what it cannot do without."""

    def leave_one_out(self, features: Tensor, labels: Tensor, way: int) -> Tensor:  # type: ignore[misc]
        return self.score_left_out(features, labels, way)


@final
class Counting(Squared):
    """It remembers how often it was called."""

    calls = 0

    def score(self, queries: Tensor, fitted: HeadParams) -> Tensor:
        self.calls += 1
        return super().score(queries, fitted) * self.calls


@final
class NotANumber(Squared):
    """Its logits are none."""

    def score(self, queries: Tensor, fitted: HeadParams) -> Tensor:
        return super().score(queries, fitted) * torch.nan
