"""Adaptation that a task takes only where its own support set is no worse off."""

from __future__ import annotations

from typing import Annotated, Any, final

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from fewshot_film.base.modes import evaluating
from fewshot_film.base.values import AtLeast, AtMost
from fewshot_film.errors import UsageError
from fewshot_film.parts.adaptation.base import Adapter
from fewshot_film.parts.adaptation.constant import ConstantAdapter
from fewshot_film.parts.adaptation.learned import LearnedAdapter
from fewshot_film.parts.adaptation.left_out import LeaveOneOut, read_once, tells
from fewshot_film.parts.adaptation.per_task import either, over, repeated
from fewshot_film.parts.conditioning import TaskParams
from fewshot_film.parts.encoder import TaskEncoder
from fewshot_film.parts.extractor import Extractor
from fewshot_film.parts.generator import Generator
from fewshot_film.parts.head import Head, class_means, cosine_head
from fewshot_film.parts.head.base import Features, Labels
from fewshot_film.tasks.episode import LabeledSet

Margin = Annotated[float, AtLeast(-1), AtMost(1)]
Apart = Annotated[float | None, AtLeast(0), AtMost(2)]


@final
class SafeAdapter(Adapter):
    """support -> adapted parameters, or the plain ones where those tell the support set better.

    In evaluation every task decides by its own support images. Let g be the share of them that the
    adapted parameters tell more than the plain ones, each by the head that is fitted on all the
    others; it is 0 where a class has one image alone and none can be left out. Adapted parameters
    are taken where g >= -margin; and, if `apart` is given, where g >= 0 and they pull the classes
    apart: where the mean cosine between class means falls by `apart` or more. The plain ones leave
    the network as it was published. In training, and in a state dict, it is the adapter that it
    holds.

    A mechanism without neutral parameters, such as a gate, is plain where its training starts.
    """

    def __init__(
        self, adapted: Adapter, head: Head, *, margin: Margin = 0.0, apart: Apart = None
    ) -> None:
        """`adapted` gives all the parameters that the sites' mechanisms take, and no others."""
        super().__init__()
        self.adapted, self.left_out = adapted, LeaveOneOut(head)
        self.margin, self.apart = margin, apart
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
            with evaluating(extractor):
                images = read_once(support.images, extractor)
                own, published = (extractor(images, params) for params in (adapted, plain))
            evidence = self.evidence(own, published, support.labels, way)
            return either(kept(*evidence, self.margin, self.apart), adapted, plain)

    def evidence(
        self, adapted: Features, plain: Features, labels: Labels, way: int
    ) -> tuple[Float[Tensor, " task"], Float[Tensor, " task"]]:
        """What both features of a support set say: g, and how far likeness falls."""
        told, gain = tells(labels, way), adapted.new_zeros(len(adapted))
        if told.any():
            own, others = (
                self.left_out.accuracies(features[told], labels[told], way)
                for features in (adapted, plain)
            )
            gain[told] = own - others
        return gain, likeness(plain, labels, way) - likeness(adapted, labels, way)

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """That of the adapter which it holds: whether a run is tested safely is no weight."""
        return self.adapted.state_dict(*args, **kwargs)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        for name in self.adapted.state_dict(prefix=prefix):
            if name in state_dict:
                state_dict[f"{prefix}adapted.{name.removeprefix(prefix)}"] = state_dict.pop(name)
        super()._load_from_state_dict(state_dict, prefix, *args)


def chosen_safe(
    encoder: TaskEncoder | None = None,
    generator: Generator | None = None,
    own: Adapter | None = None,
    *,
    margin: Margin = 0.0,
    apart: Apart = None,
) -> SafeAdapter:
    """support -> generator(encoder(support)), or plain parameters where those tell it better.

    Images are told by the nearest prototypes, whatever head a classifier has: leaving one out costs
    nothing there, and as many fits as there are images with most of the others.
    """
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
    return SafeAdapter(adapted, cosine_head(), margin=margin, apart=apart)


def kept(
    gain: Float[Tensor, " task"], fall: Float[Tensor, " task"], margin: float, apart: float | None
) -> Bool[Tensor, " task"]:
    """Whether a task takes the adapted parameters, by the evidence."""
    better = gain >= -margin
    return better if apart is None else better | (gain >= 0) & (fall >= apart)


def likeness(features: Features, labels: Labels, way: int) -> Float[Tensor, " task"]:
    """The mean cosine between the means of two classes."""
    means = F.normalize(class_means(features, labels, way), dim=2)
    every = means @ means.transpose(1, 2)
    return (every.sum((1, 2)) - every.diagonal(dim1=1, dim2=2).sum(1)) / (way * (way - 1))


def plain_params(extractor: Extractor, support: LabeledSet) -> TaskParams:
    """The parameters of the network as it was published, neutral at every other site."""
    tasks, like = len(support.images), next(extractor.parameters(), support.images)
    neutral = repeated(extractor.identity(), tasks, like)
    return over(extractor.plain_params(tasks), neutral)
