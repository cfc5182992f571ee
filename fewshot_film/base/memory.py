"""Memory: how weights lie in it, and what the C library does with what a step frees."""

from __future__ import annotations

import ctypes
import platform

import torch
from torch import nn

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1  # mallopt(3) parameter numbers of glibc


def channels_last(module: nn.Module) -> None:
    """Lay convolution weights out as NHWC; convolutions then keep their activations so too.

    A training step on a CPU is bound by memory, and this layout moves less of it.
    """
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def keep_freed_memory() -> None:
    """Serve large tensors from the heap and never give the heap back, where glibc runs the heap.

    By default glibc maps every tensor above 32 MB anew and unmaps it when freed, so that each
    training step on a CPU faults all its pages in again. It holds for the whole process.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        if libc.mallopt(MMAP_THRESHOLD, 1 << 30):  # an old glibc refuses more than 32 MB
            libc.mallopt(TRIM_THRESHOLD, (1 << 31) - 1)
