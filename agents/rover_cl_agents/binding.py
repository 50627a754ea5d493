"""Binding: how methods take their algorithm. A method has one, and networks are rebuilt by one learner."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm

from rover_cl_agents.method import Method

MARK = "rebuilt_by"
"""Attribute of a policy in whose networks a method has exchanged layers; it goes where the policy goes."""


def bind_methods(algorithm: BaseAlgorithm, methods: Sequence[Method], seed: int) -> None:
    """Let each method take the algorithm, with a seed of its own drawn from `seed`.

    Raises:
        ValueError: if a method is another learner's, if another learner's methods have exchanged layers of
            the algorithm's networks, or if a method can't be used with it.
    """
    _check(algorithm, methods)
    policy: Any = algorithm.policy
    try:
        for index, method in enumerate(methods):
            own = np.random.SeedSequence([seed, index]).generate_state(1, np.uint64)[0] >> np.uint64(1)
            before = list(policy.named_modules())
            method.bind(algorithm, int(own))
            if [(name, id(m)) for name, m in policy.named_modules()] != [(n, id(m)) for n, m in before]:
                setattr(policy, MARK, type(method).__name__)
    except Exception:
        for method in methods:  # there is no learner that they belong to
            vars(method).pop("algorithm", None)
        raise


def _check(algorithm: BaseAlgorithm, methods: Sequence[Method]) -> None:
    for index, method in enumerate(methods):
        name = type(method).__name__
        if "algorithm" in vars(method) or any(method is other for other in methods[:index]):
            raise ValueError(
                f"methods holds a {name} that a learner has already, whose memory it would lose; "
                f"build another: {name}()."
            )
    rebuilt = getattr(algorithm.policy, MARK, None)
    if methods and rebuilt is not None:
        raise ValueError(
            f"algorithm has networks that {rebuilt} of another learner has rebuilt; go on with that learner, "
            "or build the algorithm anew."
        )
