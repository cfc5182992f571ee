"""Adaptive batch norm (Li et al., Pattern Recognition 2018) as an adapter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal, TypeAlias, final, get_args

import torch
from torch import Tensor, nn

from fewshot_film.base.moments import merged_moments
from fewshot_film.base.values import Above, AtLeast, AtMost
from fewshot_film.errors import UsageError
from fewshot_film.parts.adaptation.base import Adapter
from fewshot_film.parts.conditioning import SiteParams, TaskParams
from fewshot_film.parts.extractor import Extractor, Site
from fewshot_film.parts.normalization import BatchNorm
from fewshot_film.parts.normalization.base import task_moments
from fewshot_film.parts.statistics.domain import (
    DomainStatistics,
    Moments,
    batch_norms,
    check_prior,
    check_same_norms,
)
from fewshot_film.tasks.episode import LabeledSet

FromTask: TypeAlias = Literal["support", "support+query"]

Statistics: TypeAlias = FromTask | DomainStatistics
"""Whose moments: the support set's, those of support and queries, or a domain's, known before."""


@final
class AdaptiveBatchNorm(Adapter):
    """support -> the mean and variance that take the place of the source's in every batch norm.

    Weight and bias stay as they are, there is nothing to train, and the variance is the biased one.
    One pass over the images adapts layer by layer: each batch norm's moments are taken under the
    adapted ones below it. A domain's statistics, such as `one_pass(extractor, batches)` gives, are
    taken as they are; they are no part of the state dict: `DomainStatistics.save` keeps them.

    With `prior`, the source's moments count as so many images of the task; with `share`, those
    found count as this part of all, however many images they are of. The mean is then the mixture's
    and so is the variance: what lies between both means is part of it.

    The queries' own images, "support+query", make the answers transductive.

    `film` is an adapter whose parameters the extractor gets as well. It reads the network as it was
    trained; the moments of a support set are then taken under its parameters, and FiLM follows the
    adapted batch norm at every site. A domain's statistics are used as they come.
    """

    def __init__(
        self,
        statistics: Statistics = "support",
        *,
        prior: float = 0.0,
        share: float | None = None,
        film: Adapter | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(statistics, DomainStatistics) and statistics not in get_args(FromTask):
            raise UsageError(
                f"statistics is {statistics!r}; pass 'support', 'support+query', or a domain's "
                "DomainStatistics, such as one_pass(extractor, batches) gives"
            )
        check_prior(prior)
        _check_share(share, prior)
        self.statistics, self.prior, self.share, self.film = statistics, prior, share, film
        self.transductive = statistics == "support+query"

    def forward(self, support: LabeledSet, way: int, extractor: Extractor) -> TaskParams:
        _check_all_at_sites(extractor)
        given = self.film(support, way, extractor) if self.film else None
        if isinstance(self.statistics, DomainStatistics):
            return self._of_domain(self.statistics, given or {}, extractor, len(support.images))
        return extractor.described(self._images(support), given, self._moments)

    def _images(self, support: LabeledSet) -> Tensor:
        if not self.transductive:
            return support.images
        if support.unlabeled is None:
            raise UsageError(
                "adaptive batch norm on support+query was given no queries; classify whole "
                "episodes, or adapt to the support set alone"
            )
        return torch.cat([support.images, support.unlabeled], dim=1)

    def _moments(self, name: str, site: Site, images: Tensor) -> SiteParams:
        return self._blended(
            batch_norm_of(name, site), task_moments(images), float(images.shape[1])
        )

    def _of_domain(
        self, statistics: DomainStatistics, given: TaskParams, extractor: Extractor, tasks: int
    ) -> TaskParams:
        check_same_norms(extractor, statistics)
        names = {id(module): name for name, module in extractor.named_modules()}
        found = {}
        for site_name, site in extractor.sites().items():
            norm = batch_norm_of(site_name, site)
            kept = statistics.norms[names[id(norm)]]
            moments = self._blended(norm, _for_tasks(kept, norm, tasks), kept.images)
            found[site_name] = {**given.get(site_name, {}), **moments}
        return found

    def _blended(
        self, norm: nn.modules.batchnorm._BatchNorm, target: SiteParams, images: float
    ) -> SiteParams:
        """The moments of the target's images and the source's, by `share` or `prior`."""
        share = images / (images + self.prior) if self.share is None else self.share
        if share == 1:
            return target
        assert norm.running_mean is not None
        assert norm.running_var is not None
        source = (norm.running_mean, norm.running_var)
        mean, var = merged_moments(source, (target["mean"], target["var"]), share)
        return {"mean": mean, "var": var}


def chosen_adaptive_batch_norm(
    own: Adapter | None = None,
    domain: Callable[[], DomainStatistics] | None = None,
    *,
    statistics: Literal["support", "support+query", "domain"] = "support",
    prior: Annotated[float, AtLeast(0)] = 0.0,
    share: Annotated[float | None, Above(0), AtMost(1)] = None,
    film: Literal["none", "own"] = "none",
) -> AdaptiveBatchNorm:
    """Adaptive batch norm by the moments of a support set, of its queries too, or of a domain.

    With `film` "own", the FiLM of the adapter that the run was trained with follows it.
    """
    whose: Statistics | None = domain and domain() if statistics == "domain" else statistics
    if whose is None or (film == "own" and own is None):
        raise UsageError(
            "adaptive batch norm by a domain's statistics, or with a run's own FiLM, is for a test "
            "of a trained run on a domain; train with another `adapter`, then evaluate "
            "RUN@adabn-domain or RUN@own+adabn"
        )
    adapter = own if film == "own" else None
    return AdaptiveBatchNorm(whose, prior=prior, share=share, film=adapter)


def batch_norm_of(name: str, site: Site) -> nn.modules.batchnorm._BatchNorm:
    """The batch norm of a site, whose running statistics are the source's."""
    if not isinstance(site.norm, BatchNorm):
        raise UsageError(
            f"adaptive batch norm replaces running statistics, the site {name!r} holds "
            f"{type(site.norm).__name__}; use an extractor with BatchNorm"
        )
    return site.norm.batch_norm


def _check_all_at_sites(extractor: Extractor) -> None:
    """Every batch norm takes its task's moments, so that none is left at the source's."""
    at_sites = {id(batch_norm_of(name, site)) for name, site in extractor.sites().items()}
    for name, norm in batch_norms(extractor).items():
        if id(norm) not in at_sites:
            raise UsageError(
                f"the batch norm {name!r} of {type(extractor).__name__} is at no site, and would "
                "keep the source's statistics; put a site at every one (for a network that others "
                "trained, `sites=all` and no `neck`), or use adapt_batchnorm"
            )


def _for_tasks(moments: Moments, norm: nn.modules.batchnorm._BatchNorm, tasks: int) -> SiteParams:
    values = {"mean": moments.mean, "var": moments.var}
    return {name: value.to(norm.running_mean).expand(tasks, -1) for name, value in values.items()}


def _check_share(share: float | None, prior: float) -> None:
    """The source's weight is said once."""
    if share is None:
        return
    Above(0).check("share", share)
    AtMost(1).check("share", share)
    if prior:
        raise UsageError(f"`share` is {share} and `prior` is {prior}; pass one of both")
