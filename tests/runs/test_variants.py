from dataclasses import replace
from pathlib import Path

import making
import pytest
import torch

from fewshot_film.base.pixels import as_float
from fewshot_film.data.image_set import ImageSet
from fewshot_film.errors import UsageError
from fewshot_film.measure.sanity import is_transductive
from fewshot_film.model.supervised import SupervisedClassifier
from fewshot_film.parts.adaptation import AdaptiveBatchNorm, LearnedAdapter
from fewshot_film.parts.statistics.domain import DomainStatistics
from fewshot_film.parts.statistics.estimators import one_pass
from fewshot_film.runs.variants import VARIANTS, load_as, run_of, statistics_of, variant_of


def images() -> ImageSet:
    return making.image_set([40, 50], size=28)


def colour() -> ImageSet:
    grey = making.image_set([40, 50], size=16)
    return replace(grey, images=grey.images.expand(-1, 3, -1, -1))


def nothing() -> ImageSet:
    raise AssertionError("no images of the domain are needed")


@pytest.mark.parametrize("name", ["a/b", "a/b@adabn", "a/b@own+adabn", "a/b@own+adabn-domain"])
def test_the_folder_of_a_name(name: str) -> None:
    assert run_of(name).path == Path("a/b")


@pytest.mark.parametrize("name", ["a@b", "a@b/c", "@own", "x@adabn-other", "@"])
def test_a_folder_may_hold_the_sign(name: str) -> None:
    assert run_of(name).path == Path(name)
    assert variant_of(name) is None


def test_a_variant_shares_the_extractor(trained: Path) -> None:
    own = load_as(trained, "cpu", nothing)
    expected = own.features.extractor.state_dict()
    for variant in VARIANTS:
        other = load_as(f"{trained}@{variant}", "cpu", images)
        found = other.features.extractor.state_dict()
        assert all(torch.equal(found[key], expected[key]) for key in expected)
        adapter = other.features.adapter
        assert isinstance(adapter, AdaptiveBatchNorm)
        assert adapter.film is None
        assert not other.training
        assert is_transductive(other) == (variant == "adabn-query")


def test_a_run_s_own_adapter_can_stay(trained: Path) -> None:
    adapter = load_as(f"{trained}@own+adabn", "cpu", nothing).features.adapter
    assert isinstance(adapter, AdaptiveBatchNorm)
    assert isinstance(adapter.film, LearnedAdapter)


def test_a_domain_s_statistics_are_of_its_images(trained: Path) -> None:
    adapter = load_as(f"{trained}@adabn-domain", "cpu", images).features.adapter
    assert isinstance(adapter, AdaptiveBatchNorm)
    assert isinstance(adapter.statistics, DomainStatistics)
    net = making.extractor()
    found = statistics_of(net, images())
    exact = one_pass(net, [as_float(images().images).unsqueeze(0)])
    for name, moments in found.norms.items():
        assert moments.images == 90
        torch.testing.assert_close(moments.mean, exact.norms[name].mean)


def test_a_run_that_classifies_keeps_its_linear_layer(on_mnist: Path) -> None:
    own = load_as(on_mnist, "cpu", nothing)
    assert isinstance(own, SupervisedClassifier)
    for variant in VARIANTS:
        other = load_as(f"{on_mnist}@{variant}", "cpu", colour)
        assert isinstance(other, SupervisedClassifier)
        assert torch.equal(other.linear.weight, own.linear.weight)
        assert is_transductive(other) == (variant == "adabn-query")


def test_a_variant_that_is_not_there(trained: Path) -> None:
    with pytest.raises(UsageError, match="has no variant @adabm; there are @adabn, @adabn-query"):
        run_of(f"{trained}@adabm")


def test_a_folder_may_have_a_variant_s_name(tmp_path: Path) -> None:
    folder = tmp_path / "run@adabn"
    folder.mkdir()
    assert run_of(folder).path == folder
