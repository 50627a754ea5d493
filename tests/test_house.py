"""The house itself: the pages keep step with the code."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = (ROOT / "envs/rover_cl_envs", ROOT / "agents/rover_cl_agents", ROOT / "rover_cl")
UNDESCRIBED = {"__init__.py", "__main__.py"}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda p: p.name)
def test_every_module_has_its_paragraph(package: Path) -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    modules = {f.relative_to(package).as_posix() for f in package.rglob("*.py") if f.name not in UNDESCRIBED}
    missing = sorted(name for name in modules if f"* `{name}` — " not in page)
    assert not missing, f"docs/architecture.md has no paragraph on {missing}"


@pytest.mark.parametrize("package", PACKAGES, ids=lambda p: p.name)
def test_package_ships_its_types(package: Path) -> None:
    assert (package / "py.typed").exists()
