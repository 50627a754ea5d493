"""The methods: one file each, all with the same doors (`method.py` beside this folder)."""

from collections.abc import Callable
from typing import Any

from rover_cl_agents.method import Cost as Cost
from rover_cl_agents.method import Method as Method
from rover_cl_agents.methods.agem import AGEM as AGEM
from rover_cl_agents.methods.agem import AGEMConfig as AGEMConfig
from rover_cl_agents.methods.cbp import CBP as CBP
from rover_cl_agents.methods.cbp import CBPConfig as CBPConfig
from rover_cl_agents.methods.clear import CLEAR as CLEAR
from rover_cl_agents.methods.clear import CLEARConfig as CLEARConfig
from rover_cl_agents.methods.der import DER as DER
from rover_cl_agents.methods.der import DERConfig as DERConfig
from rover_cl_agents.methods.distill import Distillation as Distillation
from rover_cl_agents.methods.distill import DistillationConfig as DistillationConfig
from rover_cl_agents.methods.echo_replay import EchoReplay as EchoReplay
from rover_cl_agents.methods.echo_replay import EchoReplayConfig as EchoReplayConfig
from rover_cl_agents.methods.ewc import EWC as EWC
from rover_cl_agents.methods.ewc import EWCConfig as EWCConfig
from rover_cl_agents.methods.freeze import Freeze as Freeze
from rover_cl_agents.methods.freeze import FreezeConfig as FreezeConfig
from rover_cl_agents.methods.generative import Generative as Generative
from rover_cl_agents.methods.generative import GenerativeConfig as GenerativeConfig
from rover_cl_agents.methods.gpm import GPM as GPM
from rover_cl_agents.methods.gpm import GPMConfig as GPMConfig
from rover_cl_agents.methods.headbank import HeadBank as HeadBank
from rover_cl_agents.methods.headbank import HeadBankConfig as HeadBankConfig
from rover_cl_agents.methods.l2 import L2 as L2
from rover_cl_agents.methods.l2 import L2Config as L2Config
from rover_cl_agents.methods.l2_init import L2Init as L2Init
from rover_cl_agents.methods.l2_init import L2InitConfig as L2InitConfig
from rover_cl_agents.methods.layer_norm import LayerNorm as LayerNorm
from rover_cl_agents.methods.layer_norm import LayerNormConfig as LayerNormConfig
from rover_cl_agents.methods.lora import LoRA as LoRA
from rover_cl_agents.methods.lora import LoRAConfig as LoRAConfig
from rover_cl_agents.methods.mas import MAS as MAS
from rover_cl_agents.methods.mas import MASConfig as MASConfig
from rover_cl_agents.methods.ogd import OGD as OGD
from rover_cl_agents.methods.ogd import OGDConfig as OGDConfig
from rover_cl_agents.methods.online_ewc import OnlineEWC as OnlineEWC
from rover_cl_agents.methods.online_ewc import OnlineEWCConfig as OnlineEWCConfig
from rover_cl_agents.methods.packnet import PackNet as PackNet
from rover_cl_agents.methods.packnet import PackNetConfig as PackNetConfig
from rover_cl_agents.methods.progressive import Progressive as Progressive
from rover_cl_agents.methods.progressive import ProgressiveConfig as ProgressiveConfig
from rover_cl_agents.methods.redo import ReDo as ReDo
from rover_cl_agents.methods.redo import ReDoConfig as ReDoConfig
from rover_cl_agents.methods.replay import Replay as Replay
from rover_cl_agents.methods.replay import ReplayConfig as ReplayConfig
from rover_cl_agents.methods.sdft import SDFT as SDFT
from rover_cl_agents.methods.sdft import SDFTConfig as SDFTConfig
from rover_cl_agents.methods.sharpen import Sharpen as Sharpen
from rover_cl_agents.methods.sharpen import SharpenConfig as SharpenConfig
from rover_cl_agents.methods.shrink_perturb import ShrinkPerturb as ShrinkPerturb
from rover_cl_agents.methods.shrink_perturb import ShrinkPerturbConfig as ShrinkPerturbConfig
from rover_cl_agents.methods.si import SI as SI
from rover_cl_agents.methods.si import SIConfig as SIConfig
from rover_cl_agents.methods.slow_layers import SlowLayers as SlowLayers
from rover_cl_agents.methods.slow_layers import SlowLayersConfig as SlowLayersConfig
from rover_cl_agents.methods.weight_decay import WeightDecay as WeightDecay
from rover_cl_agents.methods.weight_decay import WeightDecayConfig as WeightDecayConfig

METHODS: dict[str, tuple[type, Callable[[Any], Method]]] = {
    Replay.name: (ReplayConfig, Replay),
    EchoReplay.name: (EchoReplayConfig, EchoReplay),
    DER.name: (DERConfig, DER),
    CLEAR.name: (CLEARConfig, CLEAR),
    Distillation.name: (DistillationConfig, Distillation),
    SDFT.name: (SDFTConfig, SDFT),
    Generative.name: (GenerativeConfig, Generative),
    EWC.name: (EWCConfig, EWC),
    OnlineEWC.name: (OnlineEWCConfig, OnlineEWC),
    L2.name: (L2Config, L2),
    MAS.name: (MASConfig, MAS),
    SI.name: (SIConfig, SI),
    OGD.name: (OGDConfig, OGD),
    GPM.name: (GPMConfig, GPM),
    AGEM.name: (AGEMConfig, AGEM),
    Sharpen.name: (SharpenConfig, Sharpen),
    Progressive.name: (ProgressiveConfig, Progressive),
    PackNet.name: (PackNetConfig, PackNet),
    LoRA.name: (LoRAConfig, LoRA),
    HeadBank.name: (HeadBankConfig, HeadBank),
    Freeze.name: (FreezeConfig, Freeze),
    SlowLayers.name: (SlowLayersConfig, SlowLayers),
    LayerNorm.name: (LayerNormConfig, LayerNorm),
    WeightDecay.name: (WeightDecayConfig, WeightDecay),
    L2Init.name: (L2InitConfig, L2Init),
    ShrinkPerturb.name: (ShrinkPerturbConfig, ShrinkPerturb),
    ReDo.name: (ReDoConfig, ReDo),
    CBP.name: (CBPConfig, CBP),
}
"""What a checkpoint can build by itself: the settings' class and the method's, by the method's name."""
