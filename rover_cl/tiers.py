"""How much to spend on a comparison: three ready-made sizes."""

from dataclasses import dataclass

from rover_cl_envs.errors import unknown_name


@dataclass(frozen=True, kw_only=True)
class Tier:
    """Defaults of `rover-cl compare`."""

    description: str
    """one line, with the time on two cores"""
    stream: str
    """name of the stream"""
    steps_per_segment: int | None
    """environment steps of a segment; None: the stream's own"""
    methods: tuple[str, ...]
    """methods in the order of the table"""
    seeds: int
    """number of seeds, counted from 0"""
    eval_episodes: int
    """episodes of each task in an examination"""
    evals_per_segment: int
    """examinations in each segment"""


TIERS: dict[str, Tier] = {
    "smoke": Tier(
        description="does everything work? three tasks, two seeds; under 3 minutes",
        stream="mars3",
        steps_per_segment=None,
        methods=("finetune", "joint", "replay", "ewc", "random"),
        seeds=2,
        eval_episodes=100,
        evals_per_segment=3,
    ),
    "small": Tier(
        description="a first answer: six tasks, five seeds, the baselines; under 1 hour",
        stream="mars6",
        steps_per_segment=None,
        methods=("finetune", "scratch", "frozen", "joint", "random", "replay", "ewc", "replay+ewc"),
        seeds=5,
        eval_episodes=100,
        evals_per_segment=4,
    ),
    "full": Tier(
        description="to publish: six tasks, ten seeds, a million steps a task; overnight",
        stream="mars6",
        steps_per_segment=64 * 16_384,
        methods=("finetune", "scratch", "frozen", "joint", "random", "replay", "ewc", "replay+ewc"),
        seeds=10,
        eval_episodes=200,
        evals_per_segment=5,
    ),
}


def get_tier(name: str) -> Tier:
    """Find a tier; ValueError with the nearest name if there is none."""
    if name not in TIERS:
        raise unknown_name("tier", name, TIERS)
    return TIERS[name]
