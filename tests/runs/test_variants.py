from dataclasses import replace
from pathlib import Path

import making
import numpy as np
import pytest
import running
import torch
from running import QUIET

from fewshot_film.base.pixels import as_float
from fewshot_film.config.protocol import Question
from fewshot_film.data.image_set import ImageSet
from fewshot_film.errors import UsageError
from fewshot_film.measure.accuracy import evaluate
from fewshot_film.measure.sanity import is_transductive
from fewshot_film.model.classifier import Classifier
from fewshot_film.model.supervised import SupervisedClassifier
from fewshot_film.parts.adaptation import (
    ADAPTERS,
    Adapter,
    AdaptiveBatchNorm,
    FrozenAdapter,
    GradientAdapter,
    LearnedAdapter,
    NoAdaptation,
    SafeAdapter,
)
from fewshot_film.parts.statistics.domain import DomainStatistics
from fewshot_film.parts.statistics.estimators import one_pass
from fewshot_film.runs.report import evaluate_run
from fewshot_film.runs.trial import trial
from fewshot_film.runs.variants import ALIASES, load, named, statistics_of

LONG_NAMES = ("none", "adaptive-batch-norm:statistics=support+query,film=own")
OTHERS: dict[str, type[Adapter]] = {
    "none": NoAdaptation,
    "frozen": FrozenAdapter,
    "gradient": GradientAdapter,
    "own+gradient": GradientAdapter,
    "safe": SafeAdapter,
}
"""What is no adaptive batch norm."""
VARIANTS = tuple(dict.fromkeys([*ALIASES, *LONG_NAMES, *OTHERS]))


def images() -> ImageSet:
    return making.image_set([40, 50], size=28)


def colour() -> ImageSet:
    grey = making.image_set([40, 50], size=16)
    return replace(grey, images=grey.images.expand(-1, 3, -1, -1))


def nothing() -> ImageSet:
    raise AssertionError("no images of the domain are needed")


def loaded(name: object) -> Classifier:
    return named(str(name)).load("cpu", nothing)


# --- names


@pytest.mark.parametrize("variant", ["", *(f"@{name}" for name in VARIANTS)])
def test_the_folder_of_a_name(variant: str, trained: Path) -> None:
    found = named(f"{trained}{variant}")
    assert found.run.path == trained
    assert (found.adapter is None) == (not variant)


@pytest.mark.parametrize("name", ["a@b", "a@b/c", "@own", "x@adabn-other", "@", "a/b@adabn"])
def test_a_folder_may_hold_the_sign(name: str) -> None:
    """What stands before it is no run here."""
    assert named(name).run.path == Path(name)
    assert named(name).adapter is None


def test_a_folder_may_have_a_variant_s_name(tmp_path: Path, trained: Path) -> None:
    running.copy(trained, tmp_path / "run")
    folder = running.copy(trained, tmp_path / "run@adabn")
    for name in (folder, str(folder)):
        assert named(name).run.path == folder
        assert named(name).adapter is None
    assert named(f"{folder}@none").run.path == folder


@pytest.mark.parametrize(("short", "long"), ALIASES.items())
def test_a_short_name_stands_for_an_adapter(short: str, long: str, trained: Path) -> None:
    adapter = named(f"{trained}@{short}").adapter
    assert adapter == named(f"{trained}@{long}").adapter == ADAPTERS.read(long)


@pytest.mark.parametrize(
    ("variant", "says"),
    [
        ("adabm", "unknown adapter 'adabm'; known: learned, safe, constant, gradient, none, "),
        ("nosuch", "short names are @adabn, @adabn-query, @adabn-domain, @own\\+adabn, "),
        ("non", "unknown adapter 'non'; known: .*; did you mean 'none'\\?; short names are"),
        ("adaptive-batch-norm:prior=-1", "prior` is -1.0; it must be at least 0"),
        ("adaptive-batch-norm:film=yours", "'yours'; it must be 'none' or 'own'"),
        ("none:film=own", "adapter none has no option 'film'"),
        ("learned", "learned is made by a training, and .*trained has its own; leave @ and what"),
        ("constant", "constant is made by a training, and .*trained has its own; leave @ and what"),
        ("gradient:steps=0", "steps` is 0; it must be at least 1"),
        ("adabn-prior:share=0.2", "unknown adapter 'adabn-prior'"),
    ],
)
def test_a_variant_that_cannot_be(variant: str, says: str, trained: Path) -> None:
    with pytest.raises(UsageError, match=f"^{trained}@{variant}: .*{says}"):
        named(f"{trained}@{variant}")


# --- what is loaded


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_variant_shares_the_network(variant: str, trained: Path) -> None:
    own, other = loaded(trained), named(f"{trained}@{variant}").load("cpu", images)
    found = other.features.extractor.state_dict()
    assert all(
        torch.equal(found[key], value) for key, value in own.features.extractor.state_dict().items()
    )
    scale = "head.log_scale"
    assert torch.equal(other.get_parameter(scale), own.get_parameter(scale))
    assert not any(module.training for module in other.modules())
    assert is_transductive(other) == ("query" in variant)
    adapter = other.features.adapter
    assert isinstance(adapter, OTHERS.get(variant, AdaptiveBatchNorm))


def test_a_run_s_own_adapter_can_stay(trained: Path) -> None:
    own = loaded(trained).features.adapter.state_dict()
    for variant, stays in (("adabn", False), ("own+adabn", True), (LONG_NAMES[1], True)):
        adapter = loaded(f"{trained}@{variant}").features.adapter
        assert isinstance(adapter, AdaptiveBatchNorm)
        assert isinstance(adapter.film, LearnedAdapter) == stays
        if adapter.film:
            kept = adapter.film.state_dict()
            assert all(torch.equal(kept[key], value) for key, value in own.items())


def test_a_domain_s_statistics_are_of_its_images(trained: Path) -> None:
    adapter = named(f"{trained}@adabn-domain").load("cpu", images).features.adapter
    assert isinstance(adapter, AdaptiveBatchNorm)
    assert isinstance(adapter.statistics, DomainStatistics)
    net = making.extractor()
    found = statistics_of(net, images())
    exact = one_pass(net, [as_float(images().images).unsqueeze(0)])
    for name, moments in found.norms.items():
        assert moments.images == 90
        torch.testing.assert_close(moments.mean, exact.norms[name].mean)


def test_a_run_that_classifies_keeps_its_linear_layer(on_mnist: Path) -> None:
    own = loaded(on_mnist)
    assert isinstance(own, SupervisedClassifier)
    for variant in set(VARIANTS) - {"safe"}:
        other = named(f"{on_mnist}@{variant}").load("cpu", colour)
        assert isinstance(other, SupervisedClassifier)
        assert torch.equal(other.linear.weight, own.linear.weight)
        assert is_transductive(other) == ("query" in variant)


def test_safe_is_for_a_run_that_learned_to_adapt(on_mnist: Path, trained: Path) -> None:
    with pytest.raises(UsageError, match="NoAdaptation learned nothing; name a run that was"):
        loaded(f"{on_mnist}@safe")
    own, adapter = (loaded(f"{trained}{at}").features.adapter for at in ("", "@safe"))
    kept = adapter.state_dict()
    assert all(torch.equal(kept[key], value) for key, value in own.state_dict().items())


def test_a_run_that_was_trained_safely(tmp_path: Path) -> None:
    """It holds what a learned one does, and can be tested with or without its caution."""
    run = running.fitted(tmp_path / "run", adapter="safe:margin=0.1")
    own, again = (loaded(f"{run}{at}").features.adapter for at in ("", "@safe"))
    assert isinstance(own, SafeAdapter)
    assert isinstance(again, SafeAdapter)
    assert (own.margin, again.margin) == (0.1, 0.0)
    assert isinstance(again.adapted, LearnedAdapter)
    assert isinstance(loaded(f"{run}@own+adabn").features.adapter, AdaptiveBatchNorm)


def test_a_run_with_one_conditioning_for_all_tasks(tmp_path: Path) -> None:
    run = running.fitted(tmp_path / "run", adapter="constant")
    adapter = loaded(run).features.adapter
    assert any(bool(delta.any()) for delta in adapter.parameters())
    safe = loaded(f"{run}@safe").features.adapter
    assert isinstance(safe, SafeAdapter)
    assert safe.adapted.state_dict().keys() == adapter.state_dict().keys()


def test_load_takes_the_name_of_a_variant(trained: Path) -> None:
    assert isinstance(load(f"{trained}@none", "cpu").features.adapter, NoAdaptation)
    with pytest.raises(UsageError, match="is for a test of a trained run on a domain"):
        load(f"{trained}@adabn-domain", "cpu")


# --- what is evaluated


def accuracies(name: str) -> list[float]:
    found = evaluate_run(name, Question(episodes=12), QUIET).evaluation.accuracies
    return [float(value) for value in found]


def test_a_variant_in_full_answers_as_its_short_name(trained: Path) -> None:
    """Episode by episode."""
    own = accuracies(str(trained))
    for short, long in (
        ("adabn-query", "adaptive-batch-norm:statistics=support+query"),
        ("own+adabn-query", "adaptive-batch-norm:film=own,statistics=support+query"),
    ):
        found = accuracies(f"{trained}@{short}")
        assert accuracies(f"{trained}@{long}") == found
        assert found != own


def test_a_conditioned_run_answers_without_its_conditioning(trained: Path) -> None:
    put = trial(trained, Question(episodes=12), QUIET)
    plain = put.classifier.with_adapter(NoAdaptation()).eval()
    expected = evaluate(plain, put.sampler, 12).accuracies
    report = evaluate_run(f"{trained}@none", Question(episodes=12), QUIET)
    assert np.array_equal(report.evaluation.accuracies, expected)
    assert (report.run, report.protocol) == (f"{trained}@none", put.protocol)


def test_gradient_descent_needs_two_images_a_class(trained: Path) -> None:
    for variant in ("gradient", "own+gradient"):
        assert accuracies(f"{trained}@{variant}") != accuracies(f"{trained}@none")
    one_shot = Question(episodes=4, shot=1)
    with pytest.raises(UsageError, match=r"give every class two images or more .*one_shot=start"):
        evaluate_run(f"{trained}@gradient", one_shot, QUIET)
    stays = evaluate_run(f"{trained}@gradient:start=own,one_shot=start", one_shot, QUIET)
    own = evaluate_run(trained, one_shot, QUIET)
    assert np.array_equal(stays.evaluation.accuracies, own.evaluation.accuracies)


def test_a_safe_answer_is_the_run_s_own_or_the_plain_network_s(trained: Path) -> None:
    own, plain, safe = (accuracies(f"{trained}{at}") for at in ("", "@frozen", "@safe"))
    assert plain == accuracies(f"{trained}@none")
    assert all(
        answer in pair for answer, pair in zip(safe, zip(own, plain, strict=True), strict=True)
    )
    assert accuracies(f"{trained}@safe:margin=1") == own
