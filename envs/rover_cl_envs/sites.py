"""Named places on Mars as conditions. Each number says where it comes from; those marked chosen are ours.

A site is a caricature in the simulator's few numbers, made to be told apart from the others by the things
that mattered to a rover there. Nothing of it is a map of the place.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from rover_cl_envs.conditions import Conditions
from rover_cl_envs.errors import unknown_name


@dataclass(frozen=True, kw_only=True)
class Site:
    """A place on Mars.

    Raises:
        ValueError: a condition that is not the default has no source, or a source has no condition.
    """

    name: str
    """the name that `get_site` takes"""
    description: str
    """one line"""
    conditions: Conditions
    """the world there"""
    sources: dict[str, str] = field(default_factory=dict, hash=False)
    """of each condition that is not the default: where its value comes from"""

    def __post_init__(self) -> None:
        ordinary = Conditions()
        for name in (f.name for f in fields(Conditions)):
            changed = getattr(self.conditions, name) != getattr(ordinary, name)
            if changed and name not in self.sources:
                raise ValueError(f"Site {self.name} changes {name}, expected its source in Site.sources.")
        for name in self.sources:
            if name not in (f.name for f in fields(Conditions)):
                raise unknown_name("condition", name, [f.name for f in fields(Conditions)])


_PATHFINDER_LIKE = "chosen: no stereo profile; between Meridiani's plains and Pathfinder's .095"

MERIDIANI = Site(
    name="meridiani",
    description="Opportunity's plains: level, hardly a rock, ripples that now and then trap",
    conditions=Conditions(
        relief=0.02,
        rock_abundance=0.01,
        ground_fluffiness=0.2,
        patch_cover=0.06,
        outcrop_cover=0.15,
        crater_freshness=0.2,
        ripple_height=0.15,
        ripple_softness=0.35,
    ),
    sources={
        "relief": "chosen: smoother than any other landing site",
        "rock_abundance": "from memory: about 1 % away from craters",
        "ground_fluffiness": "slip of 2.5 % at most on the plains, sol 601 (MER mission reports)",
        "patch_cover": "chosen: Purgatory was one of dozens of ripples crossed (sol 446)",
        "outcrop_cover": "chosen: bright outcrop between the ripples",
        "crater_freshness": "chosen: the plains' small craters are degraded, depth over width .04",
        "ripple_height": "from memory: ripples 0.1-0.3 m high",
        "ripple_softness": "44.5 % slip on a ripple, sol 603 (MER mission reports); the number is chosen",
    },
)

GUSEV = Site(
    name="gusev",
    description="Spirit's ground: rocks, hollows, and at Troy a crust over loose sand",
    conditions=Conditions(
        relief=0.05,
        rock_abundance=0.05,
        patch_cover=0.15,
        outcrop_cover=0.1,
        crater_freshness=0.25,
        crust_cover=0.3,
        crust_strength=8.0,
    ),
    sources={
        "relief": _PATHFINDER_LIKE,
        "rock_abundance": "5 % at Spirit's landing site (Golombek et al. 2017, for InSight)",
        "patch_cover": "chosen",
        "outcrop_cover": "chosen",
        "crater_freshness": "chosen: hollows are filled craters, depth over width .05",
        "crust_cover": "chosen; Spirit's wheels broke a crust at Troy",
        "crust_strength": "chosen: below MER's ground pressure, since the crust broke",
    },
)

GALE = Site(
    name="gale",
    description="Curiosity's traverse: sharp rock and megaripples between",
    conditions=Conditions(
        relief=0.08,
        rock_abundance=0.06,
        ground_fluffiness=0.45,
        patch_fluffiness=0.75,
        patch_cover=0.3,
        outcrop_cover=0.3,
        ripple_height=0.25,
        ripple_softness=0.5,
    ),
    sources={
        "relief": "chosen: near Viking 1",
        "rock_abundance": "from memory: 5-15 %, in patches; the least that MER can drive",
        "ground_fluffiness": "chosen: between regolith and sand",
        "patch_fluffiness": "slip to 77 % in megaripples, without loss of the rover (Arvidson et al. 2017)",
        "patch_cover": "chosen",
        "outcrop_cover": "chosen: bedrock plates",
        "ripple_height": "sinkage of 0.15 m in megaripples (Arvidson et al. 2017): they must be higher",
        "ripple_softness": "chosen: crests of sand to drift",
    },
)

JEZERO = Site(
    name="jezero",
    description="Perseverance's crater floor: boulders, paver stones, ripples and TARs",
    conditions=Conditions(
        relief=0.06,
        rock_abundance=0.07,
        outcrop_cover=0.35,
        patch_cover=0.15,
        patch_fluffiness=0.8,
        crater_freshness=0.4,
        ripple_height=0.1,
        tar_height=0.6,
        ripple_softness=0.4,
    ),
    sources={
        "relief": _PATHFINDER_LIKE,
        "rock_abundance": "from memory: 5-15 %, in patches",
        "outcrop_cover": "chosen: low, flat pavers",
        "patch_cover": "chosen",
        "patch_fluffiness": "chosen: sand to drift",
        "crater_freshness": "chosen: depth over width .08",
        "ripple_height": "chosen",
        "tar_height": "chosen: half of a typical TAR's 1.3 m",
        "ripple_softness": "chosen",
    },
)

ENDURANCE = Site(
    name="endurance",
    description="the wall of the crater that Opportunity climbed: slabs of rock, sand between, steep",
    conditions=Conditions(
        relief=0.04,
        slope_north=0.29,
        rock_abundance=0.02,
        outcrop_cover=0.5,
        patch_cover=0.05,
        patch_fluffiness=2 / 3,
    ),
    sources={
        "relief": "chosen",
        "slope_north": "chosen: 16 degrees; Opportunity drove on slopes to 31 (MER visual odometry reports)",
        "rock_abundance": "chosen",
        "outcrop_cover": "chosen: the way in and out was bedrock",
        "patch_cover": "chosen",
        "patch_fluffiness": "slip to 50 % on the wall, sol 204 (PIA06835): sand rather than drift",
    },
)

VIKING1 = Site(
    name="viking1",
    description="Chryse: blocks, drifts, and hard ground",
    conditions=Conditions(
        relief=0.084,
        rock_abundance=0.07,
        patch_cover=0.2,
        outcrop_cover=0.05,
        crust_cover=0.35,
        crust_strength=12.0,
        crust_contrast=-0.5,
    ),
    sources={
        "relief": "rms slope of 4.8 +- 1.0 degrees over 1 m (Shepard et al. 2001)",
        "rock_abundance": "from memory: about 7 %",
        "patch_cover": "chosen; a footpad sank 0.165 m into drift (Shorthill et al. 1976)",
        "outcrop_cover": "chosen",
        "crust_cover": "chosen",
        "crust_strength": "hard ground bore 10 kPa and more (Shorthill et al. 1976)",
        "crust_contrast": "chosen",
    },
)

VIKING2 = Site(
    name="viking2",
    description="Utopia: more rocks than MER mostly finds a way through, crust everywhere",
    conditions=Conditions(
        relief=0.07,
        rock_abundance=0.17,
        patch_cover=0.1,
        outcrop_cover=0.0,
        crust_cover=0.6,
        crust_strength=6.0,
        crust_contrast=0.3,
    ),
    sources={
        "relief": "chosen: one profile of 6 m is known (Shepard et al. 2001)",
        "rock_abundance": "from memory: 17 %",
        "patch_cover": "chosen",
        "outcrop_cover": "chosen: none was seen",
        "crust_cover": "chosen: crusty to cloddy soil (Moore and Jakosky 1989)",
        "crust_strength": "chosen: crusty to cloddy soil has a cohesion of about 1 kPa",
        "crust_contrast": "chosen",
    },
)

SITES = {site.name: site for site in (MERIDIANI, GUSEV, GALE, JEZERO, ENDURANCE, VIKING1, VIKING2)}


def get_site(name: str) -> Site:
    """The site of that name; its `conditions` go into `gym.make(..., conditions=...)`.

    Raises:
        ValueError: no site has that name; the message names the nearest.
    """
    if name not in SITES:
        raise unknown_name("site", name, SITES)
    return SITES[name]
