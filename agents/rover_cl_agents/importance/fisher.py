"""The diagonal Fisher information of a policy's linear layers: exact, or by actions sampled or taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from stable_baselines3.common.policies import BasePolicy
from torch import Tensor, nn
from torch.nn import functional

from rover_cl_agents.importance.layer_trace import trace
from rover_cl_agents.outputs import Outputs


def score_vectors(outputs: Outputs) -> list[Tensor]:
    """Give the directions v of output space whose squared derivatives sum to the Fisher information.

    E over actions of (∂ log π)² equals Σ_v (∂ (v · location))², with one v per output:
    Gaussian e_d / σ_d, categorical √p_c (e_c − p). Action values count as Gaussian of their own size.

    Returns:
        d tensors of shape (batch, d).

    Source: Martens 2020, "New insights and perspectives on the natural gradient method", section 9.
    """
    location = outputs.location
    identity = torch.eye(location.shape[1], dtype=location.dtype, device=location.device)
    if outputs.log_scale is not None:
        precision = torch.exp(-outputs.log_scale.detach())
        return [precision * row for row in identity]
    probabilities = location.detach().exp()
    return [probabilities[:, c : c + 1].sqrt() * (row - probabilities) for c, row in enumerate(identity)]


def sampled_score(outputs: Outputs, generator: torch.Generator) -> Tensor:
    """Give the derivative of log π(a) by `location`, for one action a drawn from each row's distribution.

    Gaussian: (a − μ) / σ² = ε / σ with ε ~ N(0, 1). Categorical: e_a − p. Action values and TD3's actions
    count as Gaussian, as in `score_vectors`.

    Args:
        outputs: Of the policy.
        generator: That the actions are drawn by.

    Returns:
        Shape (batch, d).
    """
    location = outputs.location.detach()
    if outputs.log_scale is not None:
        noise = torch.randn(location.shape, generator=generator, dtype=location.dtype)
        return noise.to(location.device) * torch.exp(-outputs.log_scale.detach())
    probabilities = location.exp()
    actions = torch.multinomial(probabilities.cpu(), 1, generator=generator).squeeze(1)
    return functional.one_hot(actions, location.shape[1]).to(probabilities) - probabilities


def taken_score(outputs: Outputs, actions: Tensor) -> Tensor:
    """Give the derivative of log π(a) by `location`, for the actions that were taken.

    Gaussian: (a − μ) / σ². Categorical: e_a − p.

    Args:
        outputs: Of the policy.
        actions: As it drew them: shape (batch, d), or the numbers of the choices, shape (batch, 1).

    Returns:
        Shape (batch, d).
    """
    location = outputs.location.detach()
    if outputs.log_scale is not None:
        return (actions.to(location.dtype) - location) * torch.exp(-2.0 * outputs.log_scale.detach())
    return functional.one_hot(actions.long().flatten(), location.shape[1]).to(location) - location.exp()


def fisher(
    policy: BasePolicy,
    observations: Tensor,
    *,
    generator: torch.Generator | None = None,
    actions: Tensor | None = None,
) -> dict[str, Tensor]:
    """Compute the diagonal Fisher information of the acting network, mean over `observations`.

    The value head and the spread are no part of it.

    Args:
        policy: The policy of a PPO, A2C, SAC, TD3 or DQN, its acting network built of linear layers.
        observations: Shape (n, *observation).
        generator: None takes the expectation over actions in closed form. A generator draws one action for
            each observation from this policy instead: noisy, but unbiased.
        actions: The actions that were taken there, as `taken_score` has them: the empirical Fisher
            information, biased where an older policy took them.

    Returns:
        By parameter name, tensors of the parameters' shapes, >= 0.

    Raises:
        ValueError: if the acting network has a layer with parameters that isn't linear.

    Source: Kirkpatrick et al. 2017, "Overcoming catastrophic forgetting", the expectation over the policy's
    own actions. Kunstner et al. 2019, "Limitations of the empirical Fisher approximation", on the difference.
    """

    def directions(outputs: Outputs) -> list[Tensor]:
        if actions is not None:
            return [taken_score(outputs, actions)]
        return score_vectors(outputs) if generator is None else [sampled_score(outputs, generator)]

    return gradient_sizes(policy, observations, directions, torch.square)


def gradient_sizes(
    policy: BasePolicy,
    observations: Tensor,
    directions: Callable[[Outputs], Sequence[Tensor]],
    size: Callable[[Tensor], Tensor],
) -> dict[str, Tensor]:
    """Compute Σ_v mean over observations of size(∂ (v · location) / ∂θ), for each sample by itself.

    One backward pass per direction for the whole batch: the gradient of one sample's weight is δ aᵀ, where a
    is the layer's input and δ the gradient at its output, so the mean size is size(δ)ᵀ size(a) / n for every
    size of a product that is the product of sizes.

    Args:
        policy: As for `fisher`.
        observations: Shape (n, *observation).
        directions: Gives the v for the outputs, each of shape (n, d).
        size: `torch.square` or `torch.abs`.

    Returns:
        By name, for each parameter that `location` depends on, tensors of the parameters' shapes, >= 0.

    Raises:
        ValueError: if the acting network has a layer with parameters that isn't linear.
    """
    traced = trace(policy, observations)
    results = list(traced.results.values())
    found: dict[str, Tensor] = {}
    # DQN centres its values over actions before anything else sees them: `location` carries that graph.
    for vector in directions(traced.outputs):
        gradients = torch.autograd.grad(traced.outputs.location, results, vector, retain_graph=True)
        for (name, layer), gradient in zip(traced.layers.items(), gradients, strict=True):
            _note_sizes(found, name, layer, size(gradient), size(traced.inputs[name]))
    return found


def _note_sizes(sums: dict[str, Tensor], name: str, layer: nn.Linear, outer: Tensor, inner: Tensor) -> None:
    """Add one direction's mean sizes, of gradients (n, out) and inputs (n, in), to a layer's parameters."""
    _add(sums, f"{name}.weight", outer.T @ inner / len(outer))
    if layer.bias is not None:
        _add(sums, f"{name}.bias", outer.mean(dim=0))


def _add(sums: dict[str, Tensor], name: str, value: Tensor) -> None:
    sums[name] = sums[name] + value if name in sums else value


def normalised(information: dict[str, Tensor], *, cap_quantile: float) -> dict[str, Tensor]:
    """Divide by the mean over all parameters, then cap at a quantile, so that one weight suits many networks.

    Args:
        information: As `fisher` gives it.
        cap_quantile: In (0, 1]; 1 caps nothing.

    Returns:
        Tensors of the same shapes; all zero where the information is.
    """
    flat = torch.cat([tensor.flatten() for tensor in information.values()])
    mean = flat.mean().clamp_min(torch.finfo(flat.dtype).tiny)
    rank = max(1, round(cap_quantile * flat.numel()))
    cap = flat.kthvalue(rank).values / mean
    return {name: (tensor / mean).clamp_max(cap) for name, tensor in information.items()}
