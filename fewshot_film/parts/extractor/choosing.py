"""Which of a network's norms become sites, and which of its maps give the features."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

import torch
from torch import nn

from fewshot_film.errors import UsageError
from fewshot_film.parts.extractor.probing import Map, Probe

FEATURES = ""
"""The name of the whole network among its modules: its output is what it was made for."""


def chosen_sites(norms: Sequence[str], sites: str) -> list[str]:
    """The norms, in the order of the data flow, that a word or a regular expression names."""
    if not norms and sites != "none":
        raise UsageError(
            f"`sites` is {sites!r}, and the network holds no norm, where sites stand; add batch, "
            "group, layer or RMS norms, write an Extractor that has sites, or pass 'none'"
        )
    third = -(-len(norms) // 3)
    words: dict[str, Sequence[str]] = {
        "none": (),
        "all": norms,
        "early": norms[:third],
        "late": norms[-third:],
        "last": norms[-1:],
    }
    return list(words[sites]) if sites in words else _searched("sites", sites, norms)


def chosen_taps(network: nn.Module, probe: Probe, features: str) -> list[str]:
    """The modules whose outputs, averaged over positions, are the features."""
    if features == "last":
        return [FEATURES]
    if features == "stages":
        return stages(network, probe)
    inside = tuple(f"{norm}." for norm in probe.norms)  # where a site takes a norm apart
    names = (name for name in probe.maps if name and not name.startswith(inside))
    return _searched("features", features, names)


def stages(network: nn.Module, probe: Probe) -> list[str]:
    """The last map of every resolution that the network goes through, and its output.

    What lies inside a module that changes the resolution itself is a step on the way, unless that
    module is a sequence of others.
    """
    last: dict[tuple[int, ...], str] = {}
    for name, h in probe.maps.items():
        if len(h.shape) == 4 and not _on_the_way(network, probe, name):
            last[h.shape[2:]] = name
    found = list[str]()
    for name in last.values():
        if not any(_same(probe.maps[name], probe.maps[other]) for other in (FEATURES, *found)):
            found.append(name)
    return [*found, FEATURES]


def _same(h: Map, whole: Map) -> bool:
    """Whether one is what averaging the other gives."""
    first, second = h.mean, whole.mean
    return first.shape == second.shape and torch.allclose(first, second, atol=1e-5)


def _on_the_way(network: nn.Module, probe: Probe, name: str) -> bool:
    parts = name.split(".")
    around = (".".join(parts[:end]) for end in range(1, len(parts)))
    return any(
        outer in probe.maps
        and probe.maps[outer].shape[2:] != probe.maps[name].shape[2:]
        and not isinstance(network.get_submodule(outer), nn.Sequential)
        for outer in around
    )


def _searched(argument: str, expression: str, names: Iterable[str]) -> list[str]:
    names = list(names)
    try:
        found = [name for name in names if re.search(expression, name)]
    except re.error as error:
        raise UsageError(
            f"`{argument}` {expression!r} is no regular expression: {error}"
        ) from error
    if not found:
        nearest = difflib.get_close_matches(expression, names, n=3, cutoff=0.0)
        raise UsageError(
            f"`{argument}` {expression!r} matches none of {len(names)} names; the nearest are "
            f"{', '.join(nearest)}"
        )
    return found
