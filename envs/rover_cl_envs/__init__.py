"""Worlds: Mars rovers on ground that drifts.

Importing this registers `RoverCL/MarsRover-v0` and `RoverCL/MarsDrift-v0`.
"""

from gymnasium import register, registry

from rover_cl_envs.air import CLEAR as CLEAR
from rover_cl_envs.air import GLOBAL as GLOBAL
from rover_cl_envs.air import REGIONAL as REGIONAL
from rover_cl_envs.conditions import Conditions as Conditions
from rover_cl_envs.drift import Drift as Drift
from rover_cl_envs.drift_env import MarsDriftEnv as MarsDriftEnv
from rover_cl_envs.env import MarsRoverEnv as MarsRoverEnv
from rover_cl_envs.mission import MISSIONS as MISSIONS
from rover_cl_envs.mission import Mission as Mission
from rover_cl_envs.power_plant import MER_PLANT as MER_PLANT
from rover_cl_envs.power_plant import MSL_PLANT as MSL_PLANT
from rover_cl_envs.power_plant import SOJOURNER_PLANT as SOJOURNER_PLANT
from rover_cl_envs.power_plant import PowerPlant as PowerPlant
from rover_cl_envs.rovers import Rover as Rover
from rover_cl_envs.sites import Site as Site
from rover_cl_envs.sites import get_site as get_site
from rover_cl_envs.streams import Segment as Segment
from rover_cl_envs.streams import Stream as Stream
from rover_cl_envs.streams import Task as Task
from rover_cl_envs.streams import get_stream as get_stream
from rover_cl_envs.terrain import TerrainBank
from rover_cl_envs.vector_env import MarsRoverVectorEnv as MarsRoverVectorEnv
from rover_cl_envs.world import World as World

Terrain = TerrainBank
"""Maps to drive on; `Terrain.from_dem(path)` makes them of real ground."""

# Both environments check order and actions by themselves, at a fraction of what Gymnasium's wrappers cost.
if "RoverCL/MarsRover-v0" not in registry:
    register(
        "RoverCL/MarsRover-v0",
        entry_point="rover_cl_envs.env:MarsRoverEnv",
        vector_entry_point="rover_cl_envs.vector_env:MarsRoverVectorEnv",
        disable_env_checker=True,
        order_enforce=False,
    )
    register(
        "RoverCL/MarsDrift-v0",
        entry_point="rover_cl_envs.drift_env:MarsDriftEnv",
        disable_env_checker=True,
        order_enforce=False,
    )
