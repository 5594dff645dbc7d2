"""Tests of `techboy.server.storage_health`."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from techboy.server.storage_health import PROBE_INTERVAL, StorageHealth
from techboy.storage.interface import StorageError


class Scene:
    """The health of a storage, and the number of probes."""

    def __init__(self) -> None:
        self.clock, self.probes = Clock(), 0
        self.health = StorageHealth(self.clock, self._probe)

    def _probe(self) -> None:
        self.probes += 1


@pytest.fixture(name="scene")
def fixture_scene() -> Scene:
    return Scene()


class StorageHealthTests:
    """`StorageHealth`."""

    def test_probe(self, scene: Scene) -> None:
        """After a failure the storage is probed once, until it fails again."""
        scene.health.commit_failed(StorageError("the disk is full"), 3)
        assert scene.health.error == "the disk is full"
        scene.clock.advance(PROBE_INTERVAL)
        scene.clock.advance(PROBE_INTERVAL)
        assert scene.probes == 1
        scene.health.commit_failed(StorageError("the disk is full"), 0)
        scene.clock.advance(PROBE_INTERVAL)
        assert scene.probes == 2

    def test_recovered(self, scene: Scene) -> None:
        """A storage that works again is not probed."""
        scene.health.commit_failed(StorageError("the disk is full"), 3)
        scene.health.commit_succeeded()
        scene.clock.advance(PROBE_INTERVAL)
        assert (scene.health.error, scene.probes) == (None, 0)

    def test_closed(self, scene: Scene) -> None:
        """Nothing is probed after `close`."""
        scene.health.commit_failed(StorageError("the disk is full"), 3)
        scene.health.close()
        assert scene.clock.getDelayedCalls() == []
