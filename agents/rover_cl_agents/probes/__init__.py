"""Measurements of a network that change nothing: can it still learn, and what does it still know?"""

from rover_cl_agents.probes.decodability import Relearned as Relearned
from rover_cl_agents.probes.decodability import decodability as decodability
from rover_cl_agents.probes.decodability import relearn_readout as relearn_readout
from rover_cl_agents.probes.plasticity import LayerHealth as LayerHealth
from rover_cl_agents.probes.plasticity import activation_overlap as activation_overlap
from rover_cl_agents.probes.plasticity import dormant_share as dormant_share
from rover_cl_agents.probes.plasticity import effective_rank as effective_rank
from rover_cl_agents.probes.plasticity import gradient_conflict as gradient_conflict
from rover_cl_agents.probes.plasticity import gradient_cosine as gradient_cosine
from rover_cl_agents.probes.plasticity import layer_health as layer_health
from rover_cl_agents.probes.plasticity import learned_weights as learned_weights
from rover_cl_agents.probes.plasticity import saturated_share as saturated_share
from rover_cl_agents.probes.plasticity import stable_rank as stable_rank
from rover_cl_agents.probes.plasticity import threshold_rank as threshold_rank
from rover_cl_agents.probes.plasticity import update_norm as update_norm
from rover_cl_agents.probes.plasticity import weight_norm as weight_norm
