"""Model functions out of a text: written to a file, so that they have a source and lines."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


def module_of(folder: Path, text: str, name: str = "model") -> ModuleType:
    """The module with this text, in a file of its own in `folder`."""
    path = folder / f"{name}_{len(list(folder.iterdir()))}.py"
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(f"{path.stem}_{abs(hash(path)):x}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module
    spec.loader.exec_module(module)
    return module
