"""The methods: one file each, all with the same five doors (`method.py`)."""

from collections.abc import Callable
from typing import Any

from rover_cl_agents.methods.ewc import EWC as EWC
from rover_cl_agents.methods.ewc import EWCConfig as EWCConfig
from rover_cl_agents.methods.method import Cost as Cost
from rover_cl_agents.methods.method import Method as Method
from rover_cl_agents.methods.replay import Replay as Replay
from rover_cl_agents.methods.replay import ReplayConfig as ReplayConfig

METHODS: dict[str, tuple[type, Callable[[Any], Method]]] = {
    Replay.name: (ReplayConfig, Replay),
    EWC.name: (EWCConfig, EWC),
}
"""What a checkpoint can build by itself: the settings' class and the method's, by the method's name."""
