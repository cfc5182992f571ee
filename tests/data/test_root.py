from pathlib import Path

import pytest

from fewshot_film.data.root import data_root, user_cache


def test_the_given_folder_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEWSHOT_FILM_DATA", "/elsewhere")
    assert data_root(Path("/given")) == Path("/given")
    assert data_root() == Path("/elsewhere")


def test_the_users_cache_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FEWSHOT_FILM_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert data_root() == user_cache() == Path("/cache/fewshot_film")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert data_root() == Path.home() / ".cache/fewshot_film"


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    assert data_root(Path("~/data")) == Path.home() / "data"
    monkeypatch.setenv("FEWSHOT_FILM_DATA", "~/data")
    assert data_root() == Path.home() / "data"
