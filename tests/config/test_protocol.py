from dataclasses import asdict, replace

from fewshot_film.config.protocol import Protocol

PROTOCOL = Protocol("d", "test", 5, 1, 3, 6, 0, 28, 1)


def test_the_protocol_as_a_line() -> None:
    line = "d test: 5-way 1-shot, 3 queries a class, 6 episodes, seed 0, 28x28x1 images, inductive"
    assert str(PROTOCOL) == line
    assert "3 queries a class, 1 episode, seed" in str(replace(PROTOCOL, episodes=1))


def test_the_protocol_says_how_queries_were_drawn() -> None:
    uniform = str(replace(PROTOCOL, query_draw="uniform"))
    assert "5-way 1-shot, 15 queries drawn uniformly, 6 episodes" in uniform


def test_the_protocol_names_domains() -> None:
    seen = replace(PROTOCOL, domains="a,b", known_classes=10)
    assert str(seen).startswith("d test (a, b): 5-way")
    assert str(seen).endswith("inductive, known classes in domains never seen")
    known = str(replace(seen, split="val"))
    assert known.endswith("10 of its classes were trained on or chosen by")
    assert str(replace(seen, known_classes=0)).endswith("inductive")


def test_a_protocol_of_an_earlier_version_is_read() -> None:
    values = asdict(PROTOCOL)
    for name in ("domains", "transductive", "trained_shot", "known_classes", "query_draw"):
        del values[name]
    assert Protocol(**values) == PROTOCOL
