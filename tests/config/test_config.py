import json
from dataclasses import asdict, fields, replace
from typing import Any

import pytest

from fewshot_film.base.family import options_of
from fewshot_film.base.values import written
from fewshot_film.config.catalog import ENTRIES, default_config
from fewshot_film.config.config import FAMILIES, PLAIN, Config, hints, idle_fields, suited
from fewshot_film.config.stored import from_json, to_json
from fewshot_film.errors import UsageError
from fewshot_film.parts.extractor import EXTRACTORS

CLASSIFY: dict[str, Any] = {"objective": "classify", "adapter": "none"}
PARTS = [(field, name) for field, family in FAMILIES.items() for name in family.names]


# --- choices


def test_a_family_is_called_as_the_field_that_chooses_from_it() -> None:
    """What a family says of an unknown part is then said of a flag."""
    assert all(family.kind == field for field, family in FAMILIES.items())
    assert {"adapter", "conditioning", "extractor", "optimizer", "schedule"} <= FAMILIES.keys()


@pytest.mark.parametrize(("field", "name"), PARTS, ids="-".join)
def test_a_choice_is_kept_as_the_shortest_text_that_says_it(field: str, name: str) -> None:
    defaults = options_of(FAMILIES[field].parts[name]).items()
    words = [f"{option}={written(default)}" for option, (default, _) in defaults]
    for text in (name, f"{name}:{','.join(words)}", f"{name}:{','.join(words[::-1])}"):
        assert getattr(suited(Config(), **{field: text}), field) == name


def test_configs_that_say_the_same_are_equal() -> None:
    a = Config(extractor="conv4:width=64,pixel_scale=255", encoder="prototype-mean")
    b = Config(extractor="conv4:pixel_scale=255.0", encoder="prototype-mean:statistics=counted")
    assert a == b
    assert a.extractor == "conv4:pixel_scale=255.0"
    assert a != Config(extractor="conv4:pixel_scale=254")
    assert a != Config(extractor="conv4:width=32,pixel_scale=255")


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"extractor": "conv5"}, r"^unknown extractor 'conv5'; known: .*; did you mean 'conv4'\?$"),
        ({"extractor": "conv4:max_pools=3"}, "^extractor conv4 has no option 'max_pools'; known: "),
        ({"extractor": "conv4:pooling=flat"}, "^extractor conv4 has no option 'pooling'; known: "),
        ({"extractor": "resnet12:drop_side=3"}, "^extractor resnet12 has no option 'drop_side'"),
        ({"extractor": "wide-resnet12:max_pools=3"}, "^extractor wide-resnet12 has no option 'max"),
        ({"extractor": "conv4:widht=3"}, r"known: width, pixel_scale; did you mean 'width'\?$"),
        ({"extractor": "conv4:width=0"}, "^`extractor=conv4:width` is 0; it must be at least 1$"),
        ({"extractor": "conv4:width=x"}, "^`extractor=conv4:width` is 'x'; it must be a whole num"),
        ({"extractor": "conv4:width"}, "^`extractor=conv4:width` is 'yes'; it must be a whole num"),
        ({"extractor": "resnet12:pooling=max"}, "'max'; it must be 'average' or 'flat'$"),
        ({"extractor": "conv4:pixel_scale=0"}, "pixel_scale` is 0.0; it must be above 0$"),
        ({"encoder": "discriminative:statistics=running"}, "discriminative has no option 'statis"),
        ({"encoder": "prototype-mean:statistics=x"}, "'counted' or 'uncounted' or 'running'$"),
        ({"head": "cosine:scale=-1"}, "^`head=cosine:scale` is -1.0; it must be above 0$"),
        ({"head": "cosine:learned=maybe"}, "^`head=cosine:learned` is 'maybe'; it must be yes or"),
        ({"auxiliary": "none:images=7"}, "^auxiliary none has no option 'images'; it has no opt"),
        ({"objective": "episodes:images=7"}, "^objective episodes has no option 'images'"),
        ({"objective": "episodes:attribute_weight=-0.5"}, "weight` is -0.5; it must be at least 0"),
        ({"objective": "classify:images=0", "adapter": "none"}, "is 0; it must be at least 1$"),
        ({"optimizer": "adamw:decay=-1"}, "^`optimizer=adamw:decay` is -1.0; it must be at least"),
        ({"optimizer": "sgd:generator_decay=-1"}, "generator_decay` is -1.0; it must be at least"),
        ({"optimizer": "adamw:momentum=0.5"}, "^optimizer adamw has no option 'momentum'"),
        ({"normalization": "group:groups=0"}, "^`normalization=group:groups` is 0"),
        ({"extractor": ""}, "^unknown extractor ''; known: conv4, "),
        ({"extractor": None}, "^`extractor` is None; it must be text$"),
        ({"extractor": []}, r"^`extractor` is \[\]; it must be text$"),
    ],
    ids=str,
)
def test_a_choice_that_cannot_be_is_refused(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Config(**changes)


# --- numbers


@pytest.mark.parametrize(
    ("name", "values", "says"),
    [
        *((name, (1, 0, -1), "at least 2") for name in ("way", "test_way")),
        *(
            (name, (0, -1), "at least 1")
            for name in (
                "shot",
                "query",
                "tasks",
                "steps",
                "validate_every",
                "validation_episodes",
                "test_episodes",
            )
        ),
        ("size", (15, 8, 0, -1), "at least 16"),
        ("seed", (-1,), "at least 0"),
        ("learning_rate", (0.0, -1.0, float("nan"), float("inf")), "above 0"),
        ("clip_norm", (0.0, -1.0, float("nan"), float("inf")), "above 0"),
    ],
)
def test_a_number_out_of_its_bounds_is_refused(
    name: str, values: tuple[float, ...], says: str
) -> None:
    for value in values:
        with pytest.raises(UsageError, match=rf"^`{name}` is {value}; it must be {says}$"):
            Config(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("channels", [0, 2, 4])
def test_images_are_grey_or_coloured(channels: int) -> None:
    with pytest.raises(UsageError, match=r"is .; pass 1 \(grey\) or 3 \(colour\)$"):
        Config(channels=channels)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", [f.name for f in fields(Config) if f.name not in FAMILIES])
def test_a_value_of_another_type_is_refused(name: str) -> None:
    for value in ([], {}, 1.5j, object()):
        with pytest.raises(UsageError, match=f"^`{name}` is .*; it must be "):
            Config(**{name: value})  # type: ignore[arg-type]
    wrong: tuple[Any, ...] = (7,) if "str" in str(hints()[name]) else ("x", True)
    for value in wrong:
        with pytest.raises(UsageError, match=f"^`{name}` is {value!r}; it must be "):
            Config(**{name: value})


@pytest.mark.usefixtures("unchecked")
def test_a_whole_number_is_a_number() -> None:
    config = Config(learning_rate=1, clip_norm=2)
    assert (config.learning_rate, config.clip_norm) == (1.0, 2.0)
    assert isinstance(config.learning_rate, float)
    with pytest.raises(UsageError, match=r"^`way` is 3\.5; it must be a whole number$"):
        Config(way=3.5)  # type: ignore[arg-type]


# --- what has no effect

OTHERWISE = {
    "adapter": "learned",
    "conditioning": "gate",
    "encoder": "discriminative",
    "generator": "per-site",
    "way": 17,
    "query_draw": "uniform",
    "head": "cosine",
    "auxiliary": "instead",
}
"""A value that is not the plain one, for every field that may have no effect."""


@pytest.mark.parametrize("name", ["conditioning", "encoder", "generator"])
@pytest.mark.parametrize("adapter", ["none", "frozen", "adaptive-batch-norm"])
def test_what_an_adapter_does_not_generate_is_refused(adapter: str, name: str) -> None:
    value: Any = OTHERWISE[name]
    says = f"^`{name}` is {value}, and adapter {adapter} generates no parameters; leave it out$"
    with pytest.raises(UsageError, match=says):
        Config(adapter=adapter, **{name: value})


@pytest.mark.parametrize("adapter", ["constant", "gradient"])
def test_what_steers_without_a_generator_has_a_mechanism_alone(adapter: str) -> None:
    assert Config(adapter=adapter, conditioning="gate").conditioning == "gate"
    for name in ("encoder", "generator"):
        value: Any = OTHERWISE[name]
        with pytest.raises(UsageError, match=f"^`{name}` is {value}, and adapter {adapter} gener"):
            Config(adapter=adapter, **{name: value})


@pytest.mark.parametrize("name", OTHERWISE)
def test_what_classification_would_ignore_is_refused(name: str) -> None:
    value: Any = OTHERWISE[name]
    says = rf"^`{name}` is {value}, and objective classify .*; (leave it|pass `adapter=none`)"
    with pytest.raises(UsageError, match=says):
        Config(**CLASSIFY | {name: value})
    other = "classify:images=16"
    with pytest.raises(UsageError, match=says):
        Config(**CLASSIFY | {name: value, "objective": other})


def test_an_option_of_a_part_without_effect_is_refused_too() -> None:
    for name, text in (
        ("encoder", "prototype-mean:statistics=running"),
        ("generator", "shared:hidden_dim=8"),
    ):
        with pytest.raises(UsageError, match=f"^`{name}` is {text}, and adapter none generates"):
            Config(adapter="none", **{name: text})  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"^`head` is squared-euclidean:scale=7.5, and objective"):
        Config(**CLASSIFY, head="squared-euclidean:scale=7.5")


def test_what_has_an_effect_is_taken() -> None:
    for name, value in OTHERWISE.items():
        learned: dict[str, Any] = {name: value}
        assert getattr(Config(**learned), name) == value
        free = {"way", "query_draw", "head", "auxiliary"}
        if name in free:
            assert getattr(Config(adapter="none", **learned), name) == value
    for adapter in ("learned", "safe"):
        assert not idle_fields("episodes", adapter, "conv4")
    assert Config(**CLASSIFY, shot=3, test_way=7, augmentation="flip-crop").classifies
    assert not Config(adapter="none").classifies


# --- defaults and choices


@pytest.mark.parametrize("dataset", ENTRIES)
def test_the_defaults_of_every_data_set(dataset: str) -> None:
    config = default_config(dataset)
    assert config.dataset == dataset
    assert from_json(to_json(config), "here") == config
    source = ENTRIES[dataset].source
    assert config.channels == source.channels
    if EXTRACTORS.read(config.extractor).takes("channels"):
        assert config.size <= source.size
    else:  # a network of others has a size of its own
        assert config.size == 128


def test_the_defaults_of_a_folder() -> None:
    config = default_config(data="some/folder")
    assert (config.data, config.channels, config.size) == ("some/folder", 3, 84)
    assert from_json(to_json(config), "here") == config
    with pytest.raises(UsageError, match=r"^`dataset` omniglot and `data` x were both given; pass"):
        default_config("omniglot", "x")


@pytest.mark.parametrize("dataset", ENTRIES)
def test_a_default_that_a_choice_leaves_without_effect_goes(dataset: str) -> None:
    """Everything else stays; so the plain network of any data set is one choice away."""
    suits, plain = default_config(dataset), default_config(dataset, adapter="none")
    idle = idle_fields("episodes", "none", suits.extractor)
    expected = asdict(suits) | {name: PLAIN[name] for name in idle} | {"adapter": "none"}
    assert asdict(plain) == expected
    if ENTRIES[dataset].source.domains:
        assert default_config(dataset, objective="classify").classifies


def test_choices_are_taken_over_the_defaults() -> None:
    config = default_config("glyphs", way=3, extractor="resnet12", adapter="learned")
    suits = default_config("glyphs")
    assert config == replace(suits, way=3, extractor="resnet12")
    assert suited(suits) == suits
    assert default_config("omniglot", adapter="none", conditioning="film").adapter == "none"


@pytest.mark.parametrize("name", ["conditioning", "generator"])
def test_a_choice_without_effect_is_refused_however_it_is_made(name: str) -> None:
    chosen: dict[str, Any] = {"adapter": "none", name: OTHERWISE[name]}
    for make in (
        lambda: default_config("glyphs", **chosen),
        lambda: suited(default_config("omniglot"), **chosen),
        lambda: replace(default_config("omniglot"), **chosen),
    ):
        with pytest.raises(UsageError, match=f"^`{name}` is {chosen[name]}, and adapter none"):
            make()


@pytest.mark.usefixtures("unchecked")
def test_choices_are_of_fields_that_there_are() -> None:
    with pytest.raises(UsageError, match=r"^a Config has no field 'width'; known: dataset, data, "):
        default_config("glyphs", width=4)
    with pytest.raises(UsageError, match=r"no field 'extracter'; .*; did you mean 'extractor'\?$"):
        suited(Config(), extracter="conv4")
    wrong: dict[str, Any] = {"adapter": None, "objective": 3, "encoder": [], "way": "x"}
    for name, value in wrong.items():
        with pytest.raises(UsageError, match=f"^`{name}` is "):
            default_config("glyphs", **{name: value})


def test_a_default_is_not_dropped_by_replace() -> None:
    """It cannot tell what was chosen from what suits; `default_config` and `suited` can."""
    with pytest.raises(UsageError, match=r"^`encoder` is discriminative, and adapter none"):
        replace(default_config("glyphs"), adapter="none")
    assert suited(default_config("glyphs"), adapter="none").encoder == "prototype-mean"


# --- as JSON

CHANGED: dict[str, Any] = {
    "dataset": "omniglot",
    "data": "a folder/é",
    "train_domains": "x, y",
    "test_domains": "z",
    "objective": "episodes:attribute_weight=0.5",
    "pool": 7,
    "conditioning": "gate",
    "encoder": "prototype-mean:statistics=running",
    "generator": "per-site",
    "extractor": "conv4:width=3,pixel_scale=0.1",
    "normalization": "support",
    "head": "cosine:scale=1e-07,learned=no",
    "way": 7,
    "shot": 3,
    "query": 4,
    "query_draw": "uniform",
    "test_way": 6,
    "tasks": 9,
    "augmentation": "flip-crop",
    "auxiliary": "addition:images=5",
    "steps": 11,
    "optimizer": "sgd:decay=0.1,generator_decay=0.0,momentum=0.3",
    "schedule": "drops",
    "learning_rate": 1.25e-7,
    "clip_norm": 0.1,
    "precision": "bfloat16",
    "validate_every": 12,
    "validation_episodes": 13,
    "test_episodes": 14,
    "channels": 3,
    "size": 33,
    "seed": 2**40,
}
"""Every field that can be beside the others, at another value than its default."""


def test_json_keeps_every_field() -> None:
    config, plain = Config(**CHANGED), Config()
    assert {f.name for f in fields(Config)} - CHANGED.keys() == {"adapter"}
    assert all(getattr(config, name) != getattr(plain, name) for name in CHANGED)
    assert json.loads(to_json(config)) == {"format": 2, **asdict(config)}
    assert from_json(to_json(config), "here") == config
    other = Config(adapter="adaptive-batch-norm:prior=5", learning_rate=1 / 3)
    assert from_json(to_json(other), "here") == other


@pytest.mark.parametrize("name", CHANGED)
def test_a_config_of_a_version_without_the_field_has_its_default(name: str) -> None:
    values = json.loads(to_json(Config(**CHANGED)))
    del values[name]
    without = {key: value for key, value in CHANGED.items() if key != name}
    assert from_json(json.dumps(values), "here") == Config(**without)
