from pathlib import Path

import pytest
import torch

from fewshot_film.config.machine import HERE, Machine
from fewshot_film.errors import UsageError


def test_this_machine_as_it_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    monkeypatch.setenv("FEWSHOT_FILM_DATA", str(tmp_path))
    assert Machine("auto", None, True) == HERE
    assert HERE.place == torch.device("cpu")
    assert HERE.root == tmp_path


def test_a_data_root_that_is_named_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEWSHOT_FILM_DATA", str(tmp_path))
    assert Machine(data_root=tmp_path / "named").root == tmp_path / "named"


@pytest.mark.parametrize("device", ["nonsense", "cuda:7", "meta", ""])
def test_a_device_that_is_not_there_is_named_when_it_is_needed(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine is described before it is asked for its device."""
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    machine = Machine(device)
    with pytest.raises(UsageError, match=f"^`device` .*{device}"):
        _ = machine.place
