import pytest
import torch

from fewshot_film.base.device import choose_device, has_bfloat16
from fewshot_film.errors import UsageError


def test_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    for count, auto in ((0, "cpu"), (2, "cuda")):
        monkeypatch.setattr(torch.cuda, "device_count", lambda count=count: count)
        monkeypatch.setattr(torch.cuda, "is_available", lambda count=count: count > 0)
        assert choose_device("auto") == torch.device(auto)
        assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("cuda") == torch.device("cuda")
    assert choose_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(UsageError, match="`device` cuda:2: this machine has 2 CUDA devices"):
        choose_device("cuda:2")


@pytest.mark.parametrize("name", ["", "gpus", "mps", "meta", "cuda:", "cuda:-1", "cuda:x", "CPU"])
def test_other_names(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(UsageError, match="`device`"):
        choose_device(name)


@pytest.mark.parametrize(("capability", "has"), [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_a_gpu_that_imitates_bfloat16_does_not_have_it(
    capability: tuple[int, int], has: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    assert has_bfloat16(torch.device("cuda:1")) == has


def test_a_build_without_onednn_has_no_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    monkeypatch.setattr(torch.ops, "mkldnn", None)
    assert not has_bfloat16(torch.device("cpu"))
