import platform
import resource

import pytest
import torch
from torch import nn

from fewshot_film.base.memory import channels_last, keep_freed_memory


def test_channels_last() -> None:
    module = nn.Sequential(nn.Conv2d(4, 8, 3), nn.Conv2d(8, 3, 3))
    channels_last(module)
    assert all(
        p.is_contiguous(memory_format=torch.channels_last)
        for p in module.parameters()
        if p.ndim == 4
    )
    out = module(torch.rand(2, 4, 9, 9).contiguous(memory_format=torch.channels_last))
    assert out.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="tunes glibc's heap")
def test_freed_memory_is_used_again() -> None:
    """A tensor above glibc's 32 MB threshold faults its pages in once, not every time."""
    keep_freed_memory()

    def faults() -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.ones(16 << 20)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    first = [faults() for _ in range(4)]
    assert min(first[1:]) < 200  # of 16,384 pages
