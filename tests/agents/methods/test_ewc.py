from __future__ import annotations

from typing import Any

import pytest
import torch
from stable_baselines3 import PPO
from torch import Tensor

from rover_cl_agents import EWC, ContinualLearner, EWCConfig, PPOConfig, SACConfig
from rover_cl_agents.importance.fisher import fisher
from rover_cl_agents.method import overrides
from rover_cl_agents.step_hooks import StepHooks
from rover_cl_agents.vec_env import as_vec_env


@pytest.fixture
def ewc(bandit: Any) -> EWC:
    method = EWC(weight=10.0)
    model = PPO("MlpPolicy", as_vec_env(bandit(0, 2)), seed=0, device="cpu")
    method.bind(model, 0)
    return method


def place(method: EWC, values: list[float]) -> None:
    with torch.no_grad():
        dict(method.algorithm.policy.named_parameters())["action_net.bias"].copy_(torch.tensor(values))


def gradient(method: EWC) -> torch.Tensor:
    found = method.auxiliary_gradient("policy")
    assert found is not None
    return found[dict(method.algorithm.policy.named_parameters())["action_net.bias"]]


def test_value_and_gradient(ewc: EWC) -> None:
    place(ewc, [1.0, 2.0])
    ewc.anchor(0, {"action_net.bias": torch.tensor([4.0, 0.0])})
    place(ewc, [2.0, 5.0])
    assert ewc.penalty().item() == pytest.approx(20)
    assert gradient(ewc).tolist() == [40.0, 0.0]


def test_anchors_are_apart(ewc: EWC) -> None:
    for task, (value, place_at) in enumerate([(4.0, 0.0), (1.0, 10.0)]):
        place(ewc, [place_at, 0.0])
        ewc.anchor(task, {"action_net.bias": torch.tensor([value, 0.0])})
    place(ewc, [2.0, 0.0])
    assert gradient(ewc).tolist() == [0.0, 0.0]


def test_a_task_seen_again_replaces_its_anchor(ewc: EWC) -> None:
    for place_at in (0.0, 3.0):
        place(ewc, [place_at, 0.0])
        ewc.anchor(7, {"action_net.bias": torch.tensor([4.0, 0.0])})
    assert gradient(ewc).tolist() == [0.0, 0.0]
    assert ewc.penalty().item() == 0.0


def test_gradient_equals_finite_differences(ewc: EWC) -> None:
    policy = ewc.algorithm.policy.double()
    torch.manual_seed(0)
    for task in range(2):
        information = {n: torch.rand_like(p) for n, p in policy.named_parameters() if "policy_net" in n}
        ewc.anchor(task, information)
        with torch.no_grad():
            for p in policy.parameters():
                p.add_(0.1 * torch.randn_like(p))
    found = ewc.auxiliary_gradient("policy")
    assert found is not None
    name = "mlp_extractor.policy_net.0.weight"
    parameter = dict(policy.named_parameters())[name]
    for index in [(0, 0), (5, 3)]:
        values = []
        for step in (1e-6, -2e-6):
            with torch.no_grad():
                parameter[index] += step
            values.append(ewc.penalty().item())
        with torch.no_grad():
            parameter[index] += 1e-6
        assert (values[0] - values[1]) / 2e-6 == pytest.approx(found[parameter][index].item(), rel=1e-6)


def test_state_round_trip_and_refusals(ewc: EWC) -> None:
    place(ewc, [1.0, 2.0])
    ewc.anchor(3, {"action_net.bias": torch.tensor([4.0, 1.0])})
    other = EWC(weight=10.0)
    other.bind(ewc.algorithm, 1)
    other.load_state_dict(ewc.state_dict())
    place(ewc, [2.0, 2.5])
    assert torch.equal(gradient(other), gradient(ewc))
    assert other.cost() == ewc.cost()
    assert ewc.cost().bytes == 4 * 2 * 4
    with pytest.raises(ValueError, match=r"the state of EWC has no entry 'importance.3.nowhere'"):
        other.load_state_dict({"importance.3.nowhere": torch.zeros(2)})
    sampling = EWC(fisher="sampled")
    sampling.bind(ewc.algorithm, 1)
    with pytest.raises(ValueError, match="needs a 'generator'"):
        sampling.load_state_dict(ewc.state_dict())


def test_the_proximal_form_ends_where_it_says(ewc: EWC) -> None:
    # lr 0.1, weight 10, F [4, 0], theta [2, 5], theta* [1, 2] -> [1.2, 5]; the gradient would give -2.
    method = EWC(EWCConfig(weight=10.0, proximal=True))
    method.bind(ewc.algorithm, 0)
    place(method, [1.0, 2.0])
    method.anchor(0, {"action_net.bias": torch.tensor([4.0, 0.0])})
    place(method, [2.0, 5.0])
    policy: Any = ewc.algorithm.policy
    policy.optimizer = torch.optim.SGD(policy.parameters(), lr=0.1)
    for parameter in policy.parameters():
        parameter.grad = torch.zeros_like(parameter)
    hooks = StepHooks(ewc.algorithm, [method])
    hooks.attach()
    policy.optimizer.step()
    assert policy.action_net.bias.tolist() == pytest.approx([1.2, 5.0])
    assert not any(p.grad.any() for p in policy.parameters())


def test_only_the_proximal_form_opens_the_door_after_the_step() -> None:
    assert not overrides(EWC(), "adjust_update")
    assert not overrides(EWC(EWCConfig()), "adjust_update")
    for method in (EWC(proximal=True), EWC(EWCConfig(proximal=True))):
        assert overrides(method, "adjust_update")
        assert method.name == "ewc"
        assert method.describe()["proximal"] is True


def test_the_sampled_information_tends_to_the_exact_one(bandit: Any) -> None:
    found = {}
    for kind in ("exact", "sampled"):
        method = EWC(EWCConfig(fisher=kind))
        method.bind(PPO("MlpPolicy", as_vec_env(bandit(0, 2)), seed=0, device="cpu"), 5)
        observations = torch.randn(1, 4, generator=torch.Generator().manual_seed(0)).expand(40_000, 4)
        measured = method.measure(observations)
        found[kind] = torch.cat([tensor.flatten() for tensor in measured.values()])
        assert torch.equal(found[kind], found[kind].clamp_min(0))
    assert not torch.equal(found["exact"], found["sampled"])
    assert (found["exact"] - found["sampled"]).norm() < 0.02 * found["exact"].norm()


def test_the_empirical_information_is_that_of_the_actions_taken(bandit: Any, monkeypatch: Any) -> None:
    seen = []

    def spied(policy: Any, observations: Tensor, **more: Any) -> Any:
        seen.append((observations, more["actions"]))
        return fisher(policy, observations, **more)

    monkeypatch.setattr("rover_cl_agents.methods.ewc.fisher", spied)
    config = PPOConfig(n_steps=16, batch_size=32, n_epochs=1, net=(8,))
    model = config.build(bandit(0, 4), 0)
    ContinualLearner(model, [EWC(fisher="empirical", samples=50)]).learn_task(bandit(0, 4), 128)
    ((observations, actions),) = seen
    buffer: Any = model.rollout_buffer  # which PPO has put in order: environment by environment
    columns = (buffer.observations, buffer.actions)
    steps = [values.reshape(4, 16, -1).swapaxes(0, 1) for values in columns]
    latest = [torch.as_tensor(values.reshape(64, -1))[-50:] for values in steps]
    assert torch.equal(observations.reshape(50, -1), latest[0])
    assert torch.equal(actions, latest[1])


def test_off_policy_there_is_no_empirical_information(bandit: Any) -> None:
    with pytest.raises(ValueError, match="algorithm is SAC; expected PPO or A2C"):
        ContinualLearner(SACConfig(net=(8,)).build(bandit(0, 4), 0), [EWC(fisher="empirical")])


SMALL = PPOConfig(n_steps=16, batch_size=128, n_epochs=4, net=(32, 32))


def scores(bandit: Any, methods: list[Any], seed: int) -> tuple[float, float]:
    learner = ContinualLearner(SMALL.build(bandit(0), seed), methods)
    for task in range(2):
        learner.learn_task(bandit(task), total_timesteps=6144)
    return bandit(0).score(learner.predict), bandit(1).score(learner.predict)


@pytest.mark.parametrize("seed", [0, 1])
def test_both_forms_keep_what_finetuning_loses(bandit: Any, seed: int) -> None:
    lost, _ = scores(bandit, [], seed)
    assert lost < -0.9
    for method in (EWC(weight=3.0), EWC(weight=1000.0, proximal=True)):
        kept, new = scores(bandit, [method], seed)
        assert kept > lost / 4
        assert new > -2.8  # -3.57 before it is learned


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("weight", -1.0, ">= 0"),
        ("weight", float("nan"), ">= 0"),
        ("samples", 0, "at least 1"),
        ("cap_quantile", 0.0, "0, 1"),
        ("fisher", "fast", "one of exact, sampled, empirical"),
    ],
)
def test_ranges(field: str, value: Any, expected: str) -> None:
    with pytest.raises(ValueError, match=f"{field} is {value!r}.*{expected}"):
        EWCConfig(**{field: value})
    with pytest.raises(ValueError, match="not both"):
        EWC(EWCConfig(), **{field: value})
