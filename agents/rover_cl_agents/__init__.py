"""Continual learners: remedies against forgetting for unmodified Stable-Baselines3 algorithms."""

from rover_cl_agents.algorithms import DQNConfig as DQNConfig
from rover_cl_agents.algorithms import PPOConfig as PPOConfig
from rover_cl_agents.algorithms import SACConfig as SACConfig
from rover_cl_agents.checkpoint import CheckpointError as CheckpointError
from rover_cl_agents.learner import ContinualLearner as ContinualLearner
from rover_cl_agents.methods import EWC as EWC
from rover_cl_agents.methods import Cost as Cost
from rover_cl_agents.methods import EWCConfig as EWCConfig
from rover_cl_agents.methods import Method as Method
from rover_cl_agents.methods import Replay as Replay
from rover_cl_agents.methods import ReplayConfig as ReplayConfig
from rover_cl_agents.vec_env import VecEnvAdapter as VecEnvAdapter
