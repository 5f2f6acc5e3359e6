"""Numbers for a device."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from mistralet.engine.sampling.upload import upload


def test_numbers_become_a_tensor_of_the_type_asked_for() -> None:
    device = torch.device("cpu")
    assert upload([1, 2], torch.float64, device).equal(torch.tensor([1.0, 2.0], dtype=torch.float64))
    assert upload(np.array([[1], [-2]], np.int32), torch.int32, device).tolist() == [[1], [-2]]
    assert upload([], torch.int64, device).shape == (0,)


def test_to_another_device_they_go_from_pinned_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    pinned: list[list[int]] = []
    monkeypatch.setattr(Tensor, "pin_memory", lambda tensor: pinned.append(tensor.tolist()) or tensor)
    assert upload([1, 2], torch.int64, torch.device("meta")).is_meta
    assert pinned == [[1, 2]]
