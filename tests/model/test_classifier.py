import copy
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import foreign
import making
import necks
import numpy as np
import pytest
import torch
from laws.telling import close, exported
from torch import Tensor

from fewshot_film.errors import UsageError
from fewshot_film.model.adapted import AdaptedClassifier
from fewshot_film.model.classifier import FewShotClassifier
from fewshot_film.parts.adaptation import NoAdaptation
from fewshot_film.parts.extractor.necked import Necked
from fewshot_film.parts.head import HEADS, WhitenedHead, class_means, within_class_whitening

LABELS = ["cat", "ant", "bee", "cat", "bee", "ant"]
ADAPTATIONS = [
    {"adapter": "none"},
    {"encoder": "discriminative"},
    {"encoder": "prototype-mean"},
    {"adapter": "adaptive-batch-norm"},
]

IMAGES = making.pictures(6)
QUERIES = making.pictures(5, seed=1)


@pytest.fixture
def model() -> FewShotClassifier:
    return making.classifier()


def test_logits_by_hand(model: FewShotClassifier) -> None:
    """-exp(log_scale) |f(query) - mean f(support of the class)|^2 in the task's own space."""
    episode = making.episode()
    features = model.features
    shots = features(episode.support, 3, episode.support.images)
    queries = features(episode.support, 3, episode.query.images)
    prototypes = class_means(shots, episode.support.labels, 3)
    expected = -0.5 * torch.cdist(queries.double(), prototypes.double()).square()
    scale = float(expected.detach().abs().max())
    torch.testing.assert_close(model(episode).double(), expected, rtol=1e-3, atol=1e-5 * scale)


def test_the_support_set_adapts_the_features(model: FewShotClassifier) -> None:
    first, second = making.labeled(1, 3, 2), making.labeled(1, 3, 2, seed=1)
    images = QUERIES.unsqueeze(0)
    assert not torch.allclose(model.features(first, 3, images), model.features(second, 3, images))


@pytest.mark.parametrize("adaptation", ADAPTATIONS, ids=lambda choice: "".join(choice.values()))
def test_an_adapted_classifier_is_the_classifier_on_its_task(adaptation: dict[str, Any]) -> None:
    model, episode = making.classifier(**adaptation), making.episode(tasks=1)
    adapted = model.adapt(episode.support.images[0], episode.support.labels[0])
    expected = model(episode)[0]
    scale = float(expected.detach().abs().max())
    torch.testing.assert_close(
        adapted(episode.query.images[0]), expected, rtol=0, atol=1e-5 * max(1.0, scale)
    )


@pytest.mark.parametrize("head", HEADS.names)
def test_every_head_is_kept_as_it_was_fitted(head: str, tmp_path: Path) -> None:
    """Exported, pickled, moved to another precision, or another task's with this one's state."""
    model, episode = making.classifier(head=head), making.episode(tasks=1)
    support, queries = episode.support, episode.query.images[0]
    adapted = model.adapt(support.images[0], support.labels[0])
    expected = model(episode)[0].detach()
    close(adapted(queries), expected)
    with making.unchecked():
        close(exported(adapted, (queries,))(queries), expected)
    assert torch.equal(pickle.loads(pickle.dumps(adapted))(queries), adapted(queries))
    close(copy.deepcopy(adapted).double()(queries).float(), expected, 1e-3)
    other = making.classifier(head=head, seed=1).adapt(making.pictures(6, seed=7), LABELS)
    torch.save(adapted.state_dict(), tmp_path / "task.pt")
    other.load_state_dict(torch.load(tmp_path / "task.pt"))
    assert torch.equal(other(queries), adapted(queries))


@pytest.mark.parametrize("head", HEADS.names)
def test_queries_of_another_size_are_named_by_every_head(head: str) -> None:
    task = making.classifier(head=head).adapt(IMAGES, LABELS)
    with pytest.raises(UsageError, match="had 4 features an image, these have 16; resize them"):
        task(making.pictures(5, size=32))


def test_a_head_behind_whitened_features() -> None:
    """As the head alone on features that were whitened, adapted to a task too."""
    model = making.classifier(adapter="none", head="ridge:ridge=0.1")
    base = model.features.extractor(making.pictures(1, 30, seed=3))[0]
    whitening = within_class_whitening(base, torch.arange(30) % 5, shrinkage=0.5)
    whitened = FewShotClassifier(model.features, WhitenedHead(model.head, whitening)).eval()
    episode = making.episode(tasks=1)
    task = whitened.adapt(episode.support.images[0], episode.support.labels[0])
    close(task(episode.query.images[0]), whitened(episode)[0].detach())
    shots, queries = model.features.embedded(episode.support.images, episode.query.images, None)
    fitted = model.head.fit(whitening(shots), episode.support.labels, 3)
    close(whitened(episode), model.head(whitening(queries), fitted))


def test_words_are_labels(model: FewShotClassifier) -> None:
    adapted = model.adapt(IMAGES, LABELS)
    assert adapted.classes == ("ant", "bee", "cat")
    logits, named = adapted(QUERIES), adapted.classify(QUERIES)
    assert named == [adapted.classes[i] for i in logits.argmax(1).tolist()]
    assert all(type(name) is str for name in named)


@pytest.mark.parametrize("kind", [list, np.asarray, torch.tensor])
def test_numbers_are_labels_in_any_container(
    model: FewShotClassifier, kind: type[list[int]]
) -> None:
    codes = [30, 10, 20, 30, 20, 10]
    adapted = model.adapt(IMAGES, kind(codes))
    assert adapted.classes == (10, 20, 30)
    assert torch.equal(adapted(QUERIES), model.adapt(IMAGES, LABELS)(QUERIES))
    assert all(type(label) is int for label in adapted.classify(QUERIES))


def test_a_support_image_finds_its_own_class(model: FewShotClassifier) -> None:
    adapted = model.adapt(IMAGES[:3], LABELS[:3])
    assert adapted.classify(IMAGES[:3]) == LABELS[:3]


def test_bytes_and_floats_are_the_same_images(model: FewShotClassifier) -> None:
    as_bytes = (IMAGES * 255).round().byte()
    as_floats = as_bytes.float() / 255
    from_bytes, from_floats = model.adapt(as_bytes, LABELS), model.adapt(as_floats, LABELS)
    assert torch.equal(from_bytes(as_bytes), from_floats(as_floats))
    assert torch.equal(from_bytes(as_floats), from_floats(as_bytes))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a"] * 6, "the support set has 1 classes; a task needs at least two"),
        (["a", "b"], r"6 images came with labels of shape \(2,\)"),
        ([[0, 1]] * 6, r"6 images came with labels of shape \(6, 2\)"),
    ],
)
def test_labels_that_make_no_task(
    model: FewShotClassifier, labels: list[str], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        model.adapt(IMAGES, labels)
    with pytest.raises(UsageError, match=message):
        model.features.adapt(IMAGES, labels)


def test_what_was_adapted_is_independent_of_later_training(model: FewShotClassifier) -> None:
    extractor, adapted = model.features.adapt(IMAGES, LABELS), model.adapt(IMAGES, LABELS)
    features, logits = extractor(QUERIES), adapted(QUERIES)
    model.train()(making.episode())
    with torch.no_grad():
        for p in model.parameters():
            p.add_(1)
    assert torch.equal(extractor(QUERIES), features)
    assert torch.equal(adapted(QUERIES), logits)


def test_adapting_leaves_the_source_as_it_was(model: FewShotClassifier) -> None:
    model.train()
    model.head.eval()
    before = copy.deepcopy(model.state_dict())
    model.adapt(IMAGES, LABELS)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert model.training
    assert model.features.extractor.training
    assert not model.head.training
    assert all(p.requires_grad for p in model.parameters())


def test_training_mode_does_not_change_what_is_adapted(model: FewShotClassifier) -> None:
    expected = model.adapt(IMAGES, LABELS)(QUERIES)
    assert torch.equal(model.train().adapt(IMAGES, LABELS)(QUERIES), expected)


def test_an_adapted_module_is_ordinary(model: FewShotClassifier) -> None:
    adapted = model.adapt(IMAGES, LABELS)
    assert not any(m.training for m in adapted.modules())
    assert not any(p.requires_grad for p in adapted.parameters())
    other = making.classifier(seed=1).adapt(making.pictures(6, seed=7), LABELS)
    assert not torch.equal(other(QUERIES), adapted(QUERIES))
    other.load_state_dict(adapted.state_dict())
    assert torch.equal(other(QUERIES), adapted(QUERIES))


def test_ways_and_shots_may_be_uneven(model: FewShotClassifier) -> None:
    adapted = model.adapt(IMAGES, ["a", "b", "b", "b", "b", "c"])
    features = adapted.extractor(IMAGES)
    expected = torch.stack([features[0], features[1:5].mean(0), features[5]])
    torch.testing.assert_close(adapted.prototypes, expected)
    assert adapted(QUERIES).shape == (5, 3)


def test_another_adapter_shares_extractor_and_head(model: FewShotClassifier) -> None:
    plain = model.with_adapter(NoAdaptation())
    assert plain.features.extractor is model.features.extractor
    assert plain.head is model.head
    episode = making.episode()
    features = model.features.extractor(episode.support.images)
    torch.testing.assert_close(plain.features(episode.support, 3, episode.support.images), features)
    assert not torch.allclose(plain(episode), model(episode))


@pytest.mark.gpu
def test_an_adapted_classifier_takes_images_of_any_device(model: FewShotClassifier) -> None:
    expected: Tensor = model.adapt(IMAGES, LABELS)(QUERIES)
    adapted: AdaptedClassifier = model.cuda().adapt(IMAGES, LABELS)
    assert adapted.classify(QUERIES) == adapted.classify(QUERIES.cuda())
    torch.testing.assert_close(adapted(QUERIES.cuda()).cpu(), expected, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("bad", [2 * IMAGES - 1, 255 * IMAGES, IMAGES * torch.nan])
def test_floats_that_are_no_pixels(bad: Tensor, model: FewShotClassifier) -> None:
    """Neither a support set nor queries that were scaled otherwise are taken."""
    with pytest.raises(UsageError, match=r"float images are in \[0, 1\], these go from"):
        model.adapt(bad, LABELS)
    with pytest.raises(UsageError, match=r"float images are in \[0, 1\], these go from"):
        model.adapt(IMAGES, LABELS).classify(bad)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_an_adapted_classifier_in_another_precision(
    dtype: torch.dtype, model: FewShotClassifier
) -> None:
    task = model.adapt(IMAGES, LABELS)
    expected = task(QUERIES)
    found = task.to(dtype)((255 * QUERIES).round().byte())
    loose = 0.2 if dtype == torch.bfloat16 else 0.05
    scale = float(expected.abs().max())
    torch.testing.assert_close(found.float(), expected, rtol=0, atol=loose * scale)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (making.pictures(6, channels=3), "takes images of 1 channels, these have 3; convert them"),
        (making.pictures(6, size=15), "images of 16 pixels a side or more, these have 15x15"),
        ((255 * IMAGES).long(), r"images are uint8 or float, these are torch\.int64"),
    ],
)
def test_images_of_another_size_or_kind(
    images: Tensor, message: str, model: FewShotClassifier
) -> None:
    """Neither as a support set nor as queries."""
    with pytest.raises(UsageError, match=message):
        model.adapt(images, LABELS)
    with pytest.raises(UsageError, match=message):
        model.features.adapt(images, LABELS)
    with pytest.raises(UsageError, match=message):
        model.adapt(IMAGES, LABELS)(images)


def test_a_support_set_that_the_task_encoder_cannot_look_at(model: FewShotClassifier) -> None:
    """It is for one size; the network, and so an adapted one, takes larger images too."""
    larger = making.pictures(6, size=20)
    with pytest.raises(UsageError, match="looks at images of 16x16 pixels, these have 20x20"):
        model.adapt(larger, LABELS)
    assert model.adapt(IMAGES, LABELS)(larger).shape == (6, 3)
    assert making.classifier(encoder="prototype-mean").adapt(larger, LABELS)(larger).shape == (6, 3)


@pytest.mark.parametrize("adaptation", ADAPTATIONS, ids=lambda choice: "".join(choice.values()))
def test_queries_of_another_size_than_the_support_set(adaptation: dict[str, Any]) -> None:
    """A size that gives as many features is taken, another is named."""
    task = making.classifier(**adaptation).adapt(IMAGES, LABELS)
    assert task(making.pictures(5, size=31)).shape == (5, 3)
    with pytest.raises(UsageError, match="had 4 features an image, these have 16; resize them"):
        task(making.pictures(5, size=32))


def test_an_error_of_the_network_s_own_is_not_taken_for_one_of_the_images(
    model: FewShotClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object) -> Tensor:
        raise RuntimeError("out of memory")

    task = model.adapt(IMAGES, LABELS)
    for module in (model.features.extractor, task.extractor.extractor):
        monkeypatch.setattr(module, "embed", exhausted)
    with pytest.raises(RuntimeError, match=r"^out of memory$"):
        model.adapt(IMAGES, LABELS)
    with pytest.raises(RuntimeError, match=r"^out of memory$"):
        task(QUERIES)


@pytest.mark.parametrize("odd", [1, None])
def test_labels_of_several_kinds(odd: object, model: FewShotClassifier) -> None:
    with pytest.raises(UsageError, match="labels are of several kinds"):
        model.adapt(IMAGES, [odd, *LABELS[1:]])


def test_words_of_two_types_are_words(model: FewShotClassifier) -> None:
    assert model.adapt(IMAGES, [np.str_("cat"), *LABELS[1:]]).classes == ("ant", "bee", "cat")


# --- what a frozen network reads

READING: tuple[dict[str, Any], ...] = (
    {"encoder": "feature-contrast"},
    {"encoder": "prototype-mean"},
    {"encoder": "feature-contrast", "adapter": "safe"},
    *({"adapter": name} for name in ("constant", "gradient", "none", "frozen")),
)
by_reading = pytest.mark.parametrize(
    "choices", READING, ids=lambda choice: "".join(choice.values())
)


def reading(choices: dict[str, Any], extractor: str = "tiny:grey") -> FewShotClassifier:
    with foreign.known():
        return making.classifier(extractor=extractor, **choices)


@by_reading
def test_every_image_is_read_once(choices: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks at it: the encoder, the head, what leaves images out, and the features."""
    model = reading(choices)
    net = model.features.extractor
    assert isinstance(net, Necked)
    given = necks.passes(net, monkeypatch)
    model.adapt(IMAGES, LABELS)
    assert given == [6]
    model.features.adapt(IMAGES, LABELS)
    assert given == [6, 6]
    with torch.no_grad():
        model(making.episode(tasks=2))
    assert given == [6, 6, 2 * 6, 2 * 6]


@by_reading
def test_readings_are_answered_as_their_images_are(choices: dict[str, Any]) -> None:
    model, episode = reading(choices), making.episode(tasks=1)
    support, query = model.features.read(episode.support), model.features.read(episode.query)
    assert support.images.shape[-2:] == (1, 1)
    assert torch.equal(support.labels, episode.support.labels)
    expected = model(episode)
    close(model(replace(episode, support=support, query=query)), expected)
    adapted = model.adapt(episode.support.images[0], episode.support.labels[0])
    close(adapted(episode.query.images[0]), expected[0])


def test_readings_are_not_read_again() -> None:
    model = reading({"adapter": "none"})
    read = model.features.read(making.labeled(1, 3, 2))
    assert model.features.read(read) is read


def test_what_a_task_changes_is_not_read() -> None:
    given = making.labeled(1, 3, 2)
    assert making.classifier().features.read(given) is given
    assert reading(READING[0], "tiny:grey,sites=last").features.read(given) is given


def test_an_encoder_of_pixels_and_a_network_that_reads() -> None:
    """Where an image passes the network for every task, there are pixels to look at."""
    with pytest.raises(UsageError, match=r"^`encoder` discriminative.* looks at pixels, and extra"):
        reading({"encoder": "discriminative"})
    model = reading({"encoder": "discriminative"}, "tiny:grey,sites=last")
    assert model.adapt(IMAGES, LABELS)(QUERIES).shape == (5, 3)
