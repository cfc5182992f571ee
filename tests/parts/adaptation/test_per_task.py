import making
import torch

from fewshot_film.parts.adaptation.per_task import either, of_tasks, over, repeated, with_tasks
from fewshot_film.parts.conditioning import TaskParams


def params(*values: float) -> TaskParams:
    """One parameter, a pair, of one site, by task."""
    return {"site": {"gamma": torch.tensor(values).unsqueeze(1).expand(-1, 2).clone()}}


def gammas(found: TaskParams) -> list[float]:
    first: list[float] = found["site"]["gamma"][:, 0].tolist()
    return first


def test_identity_for_every_task() -> None:
    net = making.extractor()
    found = repeated(net.identity(), 3, torch.zeros(1, dtype=torch.float64))
    expected = making.identity_params(net.double(), 3)
    for site, values in expected.items():
        for name, value in values.items():
            assert found[site][name].dtype == torch.float64
            assert torch.equal(found[site][name], value.double())


def test_some_tasks_are_taken_out_and_put_back() -> None:
    every = params(1, 2, 3)
    for which in (torch.tensor([True, False, True]), torch.tensor([0, 2])):
        assert gammas(of_tasks(every, which)) == [1, 3]
        assert gammas(with_tasks(every, which, params(8, 9))) == [8, 2, 9]
    assert gammas(every) == [1, 2, 3]


def test_either_for_each_task() -> None:
    which = torch.tensor([True, False])
    assert gammas(either(which, params(1, 2), params(8, 9))) == [1, 9]


def test_what_one_does_not_hold_is_the_others() -> None:
    beta = torch.zeros(1, 2)
    whole = {"site": {**params(5)["site"], "beta": beta}, "other": {"beta": beta}}
    found = over(params(1), whole)
    assert gammas(found) == [1]
    assert found["site"]["beta"] is beta
    assert found["other"] == {"beta": beta}
    assert over(None, whole) == whole
    assert over({"more": {}}, {}) == {"more": {}}
