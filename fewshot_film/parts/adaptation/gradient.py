"""Parameters by gradient descent on the support set, as in FiT (Shysheya et al. 2022)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal, final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fewshot_film.base.modes import evaluating
from fewshot_film.base.values import Above, AtLeast
from fewshot_film.errors import UsageError
from fewshot_film.parts.adaptation.base import Adapter
from fewshot_film.parts.adaptation.left_out import LeaveOneOut, read_once, tells
from fewshot_film.parts.adaptation.per_task import either, of_tasks, over, repeated, with_tasks
from fewshot_film.parts.conditioning import TaskParams
from fewshot_film.parts.extractor import Extractor
from fewshot_film.parts.generator.base import check_steerable
from fewshot_film.parts.head import Head
from fewshot_film.tasks.episode import LabeledSet

EPSILON = 1e-5
"""What Adam adds to a gradient's size: one that is smaller is rounding, and should not lead far."""
PIXELS = 2**21
"""Pixels of the tasks that are fitted at once: what a network keeps for its gradient is large."""


@final
class GradientAdapter(Adapter):
    """support -> the parameters, of a start and the steps of Adam, with the least left-out loss.

    That is the mean cross-entropy of a task's support images, each told by the head that is fitted
    on all the others: on images that it was fitted on a head is right under almost any parameters.
    Every task keeps a step of its own. The network and the head stay as they are, and no gradient
    leads from the parameters to the support set.

    The start are the neutral parameters or, as `start` "own", those of the adapter that a run was
    trained with. Where a class has one image alone none can be left out, and the task is refused;
    with `one_shot` "start" it stays there. FiT, of which the learning rate is, fits to the whole
    set, and nothing at one shot.
    """

    def __init__(
        self,
        identity: TaskParams,
        head: Head,
        own: Adapter | None = None,
        *,
        steps: Annotated[int, AtLeast(1)] = 20,
        learning_rate: Annotated[float, Above(0)] = 0.0035,
        start: Literal["identity", "own"] = "identity",
        one_shot: Literal["refuse", "start"] = "refuse",
    ) -> None:
        super().__init__()
        check_steerable(identity)
        if start == "own" and own is None:
            raise UsageError(
                "adapter gradient with `start=own` is for a test of a trained run; train with "
                "another `adapter`, then evaluate RUN@own+gradient"
            )
        self.identity, self.left_out = identity, LeaveOneOut(head)
        self.steps, self.learning_rate, self.one_shot = steps, learning_rate, one_shot
        self.own = own if start == "own" else None
        self.transductive = self.own is not None and self.own.transductive

    def check_images(self, images: Tensor) -> None:
        if self.own:
            self.own.check_images(images)

    def forward(self, support: LabeledSet, way: int, extractor: Extractor) -> TaskParams:
        told = tells(support.labels, way)
        self._check_told(told)
        start = self._start(support, way, extractor)
        if not told.any():
            return start
        found, size = start, max(1, PIXELS // support.images[0, :, 0].numel())
        with _descending(extractor, support.images):
            for some in told.nonzero().squeeze(1).split(size):
                images = read_once(support.images[some], extractor)
                chosen = LabeledSet(images, support.labels[some])
                fitted = self._fitted(of_tasks(start, some), chosen, way, extractor)
                found = with_tasks(found, some, fitted)
        return found

    def _check_told(self, told: Bool[Tensor, " task"]) -> None:
        if self.one_shot == "refuse" and not told.all():
            raise UsageError(
                "adapter gradient leaves the images of the support set out one by one, and here a "
                "class has no other; give every class two images or more (`shot`), or stay at the "
                "start where there is one: gradient:one_shot=start"
            )

    def _start(self, support: LabeledSet, way: int, extractor: Extractor) -> TaskParams:
        like = next(extractor.parameters(), support.images)
        neutral = repeated(self.identity, len(support.images), like)
        with torch.no_grad():
            return over(self.own(support, way, extractor), neutral) if self.own else neutral

    def _fitted(
        self, start: TaskParams, support: LabeledSet, way: int, extractor: Extractor
    ) -> TaskParams:
        """Each task's parameters at the step of the least loss."""
        params, best = _copied(start), start
        free = list(self._free(params))
        adam = torch.optim.Adam(free, lr=self.learning_rate, eps=EPSILON)
        losses = self.left_out.losses(extractor, support, way, params)
        least = losses.detach()
        for _ in range(self.steps):
            _descend(adam, free, losses)
            losses = self.left_out.losses(extractor, support, way, params)
            better = losses.detach() < least
            least = losses.detach().where(better, least)
            best = either(better, _copied(params), best)
        return best

    def _free(self, params: TaskParams) -> Iterator[Tensor]:
        """What is fitted: what the mechanisms take, not moments that an adapter gave beside it."""
        for site, names in self.identity.items():
            for name in names:
                yield params[site][name].requires_grad_()


@contextmanager
def _descending(extractor: Extractor, images: Tensor) -> Iterator[None]:
    """An evaluation with gradients and in full precision, whatever the caller's mode."""
    precise = torch.autocast(images.device.type, enabled=False)
    with torch.inference_mode(False), evaluating(extractor), torch.enable_grad(), precise:
        yield


def _descend(adam: torch.optim.Adam, free: list[Tensor], losses: Float[Tensor, " task"]) -> None:
    """One step for every task, which the others' do not change; weights get no gradient."""
    gradients = torch.autograd.grad(losses.sum(), free, allow_unused=True, materialize_grads=True)
    for value, gradient in zip(free, gradients, strict=True):
        value.grad = gradient
    adam.step()


def _copied(params: TaskParams) -> TaskParams:
    return {
        site: {n: v.detach().clone() for n, v in values.items()} for site, values in params.items()
    }
