"""Adaptation that a task takes only where its own support set is no worse off."""

from __future__ import annotations

from typing import Annotated, Any, Literal, final

import torch
from jaxtyping import Bool
from torch import Tensor

from fewshot_film.base.modes import evaluating
from fewshot_film.base.values import AtLeast, AtMost
from fewshot_film.errors import UsageError
from fewshot_film.parts.adaptation.base import Adapter
from fewshot_film.parts.adaptation.constant import ConstantAdapter
from fewshot_film.parts.adaptation.learned import LearnedAdapter
from fewshot_film.parts.adaptation.left_out import LeaveOneOut, read_once, tells
from fewshot_film.parts.adaptation.per_task import either, of_tasks, over, repeated
from fewshot_film.parts.conditioning import TaskParams
from fewshot_film.parts.encoder import TaskEncoder
from fewshot_film.parts.extractor import Extractor
from fewshot_film.parts.generator import Generator
from fewshot_film.parts.head import Head
from fewshot_film.tasks.episode import LabeledSet

Margin = Annotated[float, AtLeast(-1), AtMost(1)]
OneShot = Literal["adapted", "plain"]


@final
class SafeAdapter(Adapter):
    """support -> adapted parameters, or the plain ones where those tell the support set better.

    In evaluation every task decides by the accuracy on its own support images, each told by the
    head that is fitted on all the others: the plain parameters, which leave the network as it was
    published, are taken where the adapted ones are worse by more than `margin`. Where a class has
    one image alone none can be left out, and `one_shot` decides. In training, and in a state dict,
    it is the adapter that it holds.

    A mechanism without neutral parameters, such as a gate, is plain where its training starts.
    """

    def __init__(
        self, adapted: Adapter, head: Head, *, margin: Margin = 0.0, one_shot: OneShot = "adapted"
    ) -> None:
        """`adapted` gives all the parameters that the sites' mechanisms take, and no others."""
        super().__init__()
        self.adapted, self.left_out = adapted, LeaveOneOut(head)
        self.margin, self.one_shot = margin, one_shot
        self.transductive = adapted.transductive

    @property
    def trained(self) -> Adapter:
        return self.adapted

    def check_images(self, images: Tensor) -> None:
        self.adapted.check_images(images)

    def forward(self, support: LabeledSet, way: int, extractor: Extractor) -> TaskParams:
        if self.training:
            return self.adapted(support, way, extractor)
        # a rounding must not decide
        with torch.autocast(support.images.device.type, enabled=False):
            adapted = self.adapted(support, way, extractor)
            plain = plain_params(extractor, support)
            return either(self._kept(support, way, extractor, adapted, plain), adapted, plain)

    def _kept(
        self,
        support: LabeledSet,
        way: int,
        extractor: Extractor,
        adapted: TaskParams,
        plain: TaskParams,
    ) -> Bool[Tensor, " task"]:
        """Whether a task takes the adapted parameters."""
        told = tells(support.labels, way)
        found = told.new_full(told.shape, self.one_shot == "adapted")
        if told.any():
            with evaluating(extractor):
                some = LabeledSet(read_once(support.images[told], extractor), support.labels[told])
                own, others = (
                    self.left_out.accuracies(extractor, some, way, of_tasks(params, told))
                    for params in (adapted, plain)
                )
            found[told] = own >= others - self.margin
        return found

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """That of the adapter which it holds: whether a run is tested safely is no weight."""
        return self.adapted.state_dict(*args, **kwargs)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        for name in self.adapted.state_dict(prefix=prefix):
            if name in state_dict:
                state_dict[f"{prefix}adapted.{name.removeprefix(prefix)}"] = state_dict.pop(name)
        super()._load_from_state_dict(state_dict, prefix, *args)


def chosen_safe(
    head: Head,
    encoder: TaskEncoder | None = None,
    generator: Generator | None = None,
    own: Adapter | None = None,
    *,
    margin: Margin = 0.0,
    one_shot: OneShot = "adapted",
) -> SafeAdapter:
    """support -> generator(encoder(support)), or plain parameters where those tell it better."""
    if encoder is not None and generator is not None:
        adapted: Adapter | None = LearnedAdapter(encoder, generator)
    else:
        adapted = own and own.trained
    if not isinstance(adapted, LearnedAdapter | ConstantAdapter):
        raise UsageError(
            "adapter safe holds what a training learned for the sites against the plain network, "
            f"and {type(adapted).__name__} learned nothing; name a run that was trained with "
            "`adapter` learned or constant"
        )
    return SafeAdapter(adapted, head, margin=margin, one_shot=one_shot)


def plain_params(extractor: Extractor, support: LabeledSet) -> TaskParams:
    """The parameters of the network as it was published, neutral at every other site."""
    tasks, like = len(support.images), next(extractor.parameters(), support.images)
    neutral = repeated(extractor.identity(), tasks, like)
    return over(extractor.plain_params(tasks), neutral)
