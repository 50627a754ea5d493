"""rover_cl: how reinforcement learners forget while the terrain of Mars drifts, and what helps.

Importing it registers the environments (`RoverCL/MarsRover-v0`, `RoverCL/MarsDrift-v0`) with Gymnasium.
"""

import rover_cl_envs as rover_cl_envs

__version__ = "0.1.0"
