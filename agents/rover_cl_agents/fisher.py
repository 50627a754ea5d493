"""The diagonal Fisher information of a policy's linear layers, exactly."""

from __future__ import annotations

import torch
from stable_baselines3.common.policies import BasePolicy
from torch import Tensor, nn

from rover_cl_agents.outputs import Outputs, linear_layers, read


def score_vectors(outputs: Outputs) -> list[Tensor]:
    """Give the directions v of output space whose squared derivatives sum to the Fisher information.

    E over actions of (∂ log π)² equals Σ_v (∂ (v · location))², with one v per output:
    Gaussian e_d / σ_d, categorical √p_c (e_c − p). Action values count as Gaussian of their own size.

    Returns:
        d tensors of shape (batch, d).

    Source: Martens 2020, "New insights and perspectives on the natural gradient method", section 9.
    """
    identity = torch.eye(outputs.location.shape[1], dtype=outputs.location.dtype)
    if outputs.log_scale is not None:
        precision = torch.exp(-outputs.log_scale.detach())
        return [precision * row for row in identity]
    probabilities = outputs.location.detach().exp()
    return [probabilities[:, c : c + 1].sqrt() * (row - probabilities) for c, row in enumerate(identity)]


def fisher(policy: BasePolicy, observations: Tensor) -> dict[str, Tensor]:
    """Compute the diagonal Fisher information of the acting network, mean over `observations`.

    One backward pass per output for the whole batch: the squared gradient of one sample's weight is δ² a²,
    so its mean is (δ²)ᵀ(a²) / n, where a is the layer's input and δ the gradient at its output. The value
    head and the spread are no part of it.

    Args:
        policy: The policy of a PPO, A2C, SAC, TD3 or DQN, its acting network built of linear layers.
        observations: Shape (n, *observation).

    Returns:
        By parameter name, tensors of the parameters' shapes, >= 0.

    Raises:
        ValueError: if the acting network has a layer with parameters that isn't linear.

    Source: Kirkpatrick et al. 2017, "Overcoming catastrophic forgetting", the expectation over the policy's
    own actions taken in closed form.
    """
    layers = linear_layers(policy, observations)
    inputs: dict[str, Tensor] = {}
    results: dict[str, Tensor] = {}

    def note(name: str, layer_inputs: tuple[Tensor, ...], result: Tensor) -> None:
        inputs[name], results[name] = layer_inputs[0].detach(), result

    handles = [
        layer.register_forward_hook(lambda _m, i, o, name=name: note(name, i, o))
        for name, layer in layers.items()
    ]
    try:
        with torch.enable_grad():
            outputs = read(policy, observations)
    finally:
        for handle in handles:
            handle.remove()
    return _accumulate(outputs, layers, inputs, results)


def _accumulate(
    outputs: Outputs, layers: dict[str, nn.Linear], inputs: dict[str, Tensor], results: dict[str, Tensor]
) -> dict[str, Tensor]:
    """Sum the squared gradients over the score vectors."""
    found: dict[str, Tensor] = {}
    # DQN centres its values over actions before anything else sees them: `location` carries that graph.
    for vector in score_vectors(outputs):
        gradients = torch.autograd.grad(
            outputs.location, list(results.values()), vector, retain_graph=True, allow_unused=True
        )
        for name, gradient in zip(results, gradients, strict=True):
            if gradient is None:  # a layer that only shapes the spread
                continue
            squared = gradient.square()
            weight = squared.T @ inputs[name].square() / len(squared)
            _add(found, f"{name}.weight", weight)
            if layers[name].bias is not None:
                _add(found, f"{name}.bias", squared.mean(dim=0))
    return found


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
