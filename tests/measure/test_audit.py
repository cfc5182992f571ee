from dataclasses import replace
from typing import Any, final

import making
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fewshot_film.errors import FewShotError
from fewshot_film.measure.accuracy import evaluate
from fewshot_film.measure.audit import audit, distance, logits, ways_of_asking
from fewshot_film.measure.sanity import is_transductive
from fewshot_film.model.classifier import Classifier, FewShotClassifier
from fewshot_film.parts.adaptation import ADAPTERS, Adapter
from fewshot_film.parts.conditioning import TaskParams
from fewshot_film.parts.encoder import ENCODERS
from fewshot_film.parts.normalization import NORMALIZATIONS, BatchNorm
from fewshot_film.tasks.episode import Episode
from fewshot_film.tasks.plain import EpisodeSampler

SAMPLER = EpisodeSampler(making.image_set([8] * 5, size=making.SIZE), way=3, shot=2, query=4)
TADAM: dict[str, Any] = {"encoder": "prototype-mean", "generator": "per-site"}
METHODS: list[dict[str, Any]] = [
    *({"adapter": name} for name in ADAPTERS.names if name != "learned"),
    *({"encoder": name} for name in ENCODERS.names),
    TADAM,
]
"""Every adapter and every encoder of the catalogue, and TADAM."""
FEW = EpisodeSampler(making.image_set([8] * 5, size=making.SIZE), way=3, shot=2, query=2)


def transductive() -> FewShotClassifier:
    """Batch norms that take their statistics from whatever passes through, queries included."""
    model = making.classifier(adapter="none")
    for site in model.features.extractor.sites().values():
        assert isinstance(site.norm, BatchNorm)
        old = site.norm.batch_norm
        norm = nn.BatchNorm2d(old.num_features, track_running_stats=False)
        norm.load_state_dict({"weight": old.weight, "bias": old.bias})
        site.norm.batch_norm = norm
    return model.eval()


@pytest.mark.parametrize("extractor", making.OWN_EXTRACTORS)
@pytest.mark.parametrize("method", METHODS, ids=str)
def test_every_method_of_the_library_is_cleared(method: dict[str, Any], extractor: str) -> None:
    model = making.classifier(**method, extractor=extractor)
    found = audit(model, FEW, 1)
    assert not found.transductive
    assert found.changed == 0
    assert np.array_equal(found.together, found.one_by_one)
    assert np.array_equal(found.together, found.by_class)
    assert np.array_equal(found.together, evaluate(model, FEW, 1).accuracies)


@pytest.mark.parametrize("name", NORMALIZATIONS.names)
@pytest.mark.parametrize("method", [{"adapter": "none"}, TADAM], ids=str)
def test_the_audit_finds_what_a_normalization_says_of_itself(
    method: dict[str, Any], name: str
) -> None:
    model = making.classifier(**method, normalization=name)
    found = audit(model, FEW, 1)
    assert found.transductive == is_transductive(model) == (name == "transductive")
    assert found.transductive or found.changed == 0


@pytest.mark.parametrize("statistics", ["support", "support+query"])
def test_the_audit_finds_what_an_adapter_says_of_itself(statistics: str) -> None:
    model = making.classifier(adapter=f"adaptive-batch-norm:statistics={statistics}")
    assert audit(model, FEW, 1).transductive == is_transductive(model)
    assert is_transductive(model) == (statistics == "support+query")


def test_a_planted_transductive_model_is_flagged() -> None:
    found = audit(transductive(), SAMPLER, 4)
    assert found.transductive
    assert found.moved > 0.01
    assert found.changed > 0
    assert not np.array_equal(found.together, found.one_by_one)


def test_one_query_by_hand() -> None:
    """What the audit asks one by one and by class is what a person would ask."""
    model, episode = transductive(), SAMPLER.sample(1, making.seeded())
    together, singly, by_class = (
        logits(model, episode, parts) for parts in ways_of_asking(episode.query.labels[0])
    )
    assert torch.equal(together, model(episode)[0])
    alone = replace(episode, query=making.chosen(episode.query, slice(None), slice(5, 6)))
    assert torch.equal(singly[5], model(alone)[0, 0])
    rows = (episode.query.labels[0] == 1).nonzero().squeeze(1)
    one_class = replace(episode, query=making.chosen(episode.query, slice(None), rows))
    assert torch.equal(by_class[rows], model(one_class)[0])


def test_distance_by_hand() -> None:
    a = torch.tensor([[1.0, -4.0]])
    assert distance(a, a + torch.tensor([[0.5, 1.0]])) == pytest.approx(0.25)
    assert distance(a / 100, a / 100 + 0.5) == pytest.approx(0.5), "small logits are not scaled up"


def test_rows() -> None:
    names = [name for name, _, _ in audit(transductive(), SAMPLER, 2).rows()]
    assert names == ["all together", "one by one", "one class at a time"]


@final
class StandardizedOverQueries(Classifier):
    """Its logits have mean 0 and spread 1 over the queries, which a lone query has not."""

    def __init__(self, inner: FewShotClassifier) -> None:
        super().__init__(inner.features, inner.head)
        self.inner = inner

    def classify(self, episode: Episode, params: TaskParams | None) -> Tensor:
        logits = self.inner.classify(episode, params)
        apart = logits - logits.mean(1, keepdim=True)
        standardized: Tensor = apart / apart.square().mean(1, keepdim=True).sqrt()
        return standardized

    def with_adapter(self, adapter: Adapter) -> Classifier:
        return StandardizedOverQueries(self.inner.with_adapter(adapter))


def test_a_lone_query_without_an_answer_is_flagged() -> None:
    found = audit(StandardizedOverQueries(making.classifier(adapter="none")), SAMPLER, 2)
    assert found.transductive
    assert found.moved == float("inf")


def test_broken_weights_are_not_called_inductive() -> None:
    model = making.classifier(adapter="none")
    with torch.no_grad():
        model.get_parameter("head.log_scale").fill_(torch.nan)
    with pytest.raises(FewShotError, match="logits are not finite; its weights are broken"):
        audit(model, SAMPLER, 1)
