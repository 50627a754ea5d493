"""The methods: one file each, all with the same five doors (`method.py`)."""

from rover_cl_agents.methods.ewc import EWC as EWC
from rover_cl_agents.methods.ewc import EWCConfig as EWCConfig
from rover_cl_agents.methods.method import Cost as Cost
from rover_cl_agents.methods.method import Method as Method
from rover_cl_agents.methods.replay import Replay as Replay
from rover_cl_agents.methods.replay import ReplayConfig as ReplayConfig
