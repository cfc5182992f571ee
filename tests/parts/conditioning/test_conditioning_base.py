import torch

from fewshot_film.parts.conditioning.base import per_channel


def test_per_channel_broadcasts_over_examples_and_space() -> None:
    value = torch.arange(6.0).view(2, 3)
    for space in [(), (4,), (4, 5)]:
        h = torch.zeros(2, 7, 3, *space)
        out = h + per_channel(value, h)
        for t in range(2):
            for c in range(3):
                assert (out[t, :, c] == value[t, c]).all()


def test_per_channel_takes_the_dtype_of_h() -> None:
    value, h = torch.rand(2, 3), torch.zeros(2, 7, 3)
    assert per_channel(value, h.bfloat16()).dtype == torch.bfloat16
    assert per_channel(value, h.double()).dtype == torch.float64
