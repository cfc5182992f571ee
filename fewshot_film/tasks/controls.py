"""The same images with other labels: what a task's parameters are worth is seen against these."""

from __future__ import annotations

from dataclasses import replace

import torch

from fewshot_film.errors import UsageError
from fewshot_film.tasks.asking import labelled_by
from fewshot_film.tasks.drawing import draw_among
from fewshot_film.tasks.episode import Episode


def other_labels(episode: Episode, rng: torch.Generator) -> Episode:
    """episode -> its labels of the support set dealt out among its images anew.

    As many images have each label as before, and what they say of the images is nothing.
    """
    support = episode.support
    keys = torch.rand(support.labels.shape, generator=rng, device=rng.device)
    order = keys.to(support.labels.device).argsort(dim=1)
    return replace(episode, support=replace(support, labels=support.labels.gather(1, order)))


def other_question(episode: Episode, rng: torch.Generator) -> Episode:
    """episode -> the same images labelled by another of their factors, any of them equally likely.

    Support and query set are asked for the same one. `group` keeps naming what was asked before.
    A task all of whose factors happen to agree with its labels, as with few images, stays as it is.
    """
    support, query = episode.support, episode.query
    if support.factors is None or query.factors is None:
        raise UsageError(
            "these images have no labelling but the one that is asked; take tasks whose nuisance "
            "is crossed"
        )
    differs = (support.factors != support.labels.unsqueeze(2)).any(1)
    differs |= (query.factors != query.labels.unsqueeze(2)).any(1)
    asked = draw_among(differs.cpu(), 1, rng).squeeze(1).to(differs.device)
    return replace(
        episode,
        support=replace(support, labels=labelled_by(support.factors, asked)),
        query=replace(query, labels=labelled_by(query.factors, asked)),
    )
