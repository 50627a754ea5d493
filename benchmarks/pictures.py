"""How many pictures a second: of a drive on fresh ground, drawn, copied out, and shown in a window.

    SDL_VIDEODRIVER=dummy python benchmarks/pictures.py

Times are of the processor, so that other programs' share of the machine doesn't count.
"""

import json
from dataclasses import replace
from itertools import pairwise
from time import process_time

import numpy as np

from rover_cl_envs import MarsRoverEnv
from rover_cl_envs.renderer import SIZE, Renderer
from rover_cl_envs.scene import Scene, between
from rover_cl_envs.window import Window

SMOOTH = 5


def drive(steps: int) -> list[Scene]:
    env = MarsRoverEnv(render_mode="rgb_array", num_maps=1)
    scenes = []
    for seed in range(100):
        env.reset(seed=seed)
        for k in range(40):
            scenes.append(env.scene())
            _, _, terminated, _, _ = env.step(np.array([1.0, 0.3 * np.sin(k / 5)]))
            if terminated:
                break
        if len(scenes) >= steps:
            break
    return scenes


def bodies_beside(scene: Scene) -> np.ndarray:
    x, y = scene.pose[:2]
    return np.array([(x + 4, y + 3, 2.0, 0), (x - 5, y, 1.0, 1)], dtype=np.float32)


def main() -> None:
    scenes = drive(120)
    moments = [between(a, b, k / SMOOTH) for a, b in pairwise(scenes) for k in range(1, SMOOTH + 1)]
    rates = {}
    start = process_time()
    renderer = Renderer()
    renderer.draw(scenes[0])
    rates["first_picture_s"] = round(process_time() - start, 3)
    start = process_time()
    for moment in moments:
        renderer.draw(moment)
    rates["drawn_per_s"] = round(len(moments) / (process_time() - start), 1)
    start = process_time()
    for moment in moments:
        renderer.picture(moment)
    rates["rgb_array_per_s"] = round(len(moments) / (process_time() - start), 1)
    stormy = [replace(m, haze=0.6, sun=(0.5, 0.4), bodies=bodies_beside(m), charge=0.5) for m in moments]
    start = process_time()
    for moment in stormy:
        renderer.draw(moment)
    rates["with_haze_sun_and_bodies_per_s"] = round(len(stormy) / (process_time() - start), 1)
    window = Window(SIZE, "benchmark")
    start = process_time()
    for moment in moments:
        window.events()
        window.show(renderer.draw(moment), 0)
    rates["in_window_per_s"] = round(len(moments) / (process_time() - start), 1)
    window.close()
    print(json.dumps({"size": SIZE, "pictures": len(moments), **rates}, indent=1))


if __name__ == "__main__":
    main()
