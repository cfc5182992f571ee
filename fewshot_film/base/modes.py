"""Modes of a module for the length of a block."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Running statistics and no gradients inside; every submodule's own mode is put back after."""
    training = [m for m in module.modules() if m.training]
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for m in training:
            m.training = True


@contextmanager
def running(module: nn.Module) -> Iterator[None]:
    """Batch norms use their running statistics inside, in training too; gradients flow."""
    norms = [m for m in module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    training = [norm for norm in norms if norm.training]
    try:
        for norm in training:
            norm.training = False
        yield
    finally:
        for norm in training:
            norm.training = True


@contextmanager
def uncounted(module: nn.Module) -> Iterator[None]:
    """What passes through inside leaves the running statistics of batch norm as they are."""
    norms = [m for m in module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    try:
        for norm in norms:
            norm.momentum = 0.0
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
