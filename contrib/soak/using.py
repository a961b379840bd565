"""What the projects of a soak use of real services: instances as rows, volumes by the API."""

import threading

from contrib.testing import openstack
from contrib.testing.clouds import OpenstackSite

Place = tuple[str, str, str]


class RealUse:
    """Changes what is in use, one change at a time, beside the soak: one of Nova takes seconds."""

    def __init__(self, volume_type: str) -> None:
        self._site = OpenstackSite()
        self._volume_type = volume_type
        self._thread: threading.Thread | None = None
        # (service, region, project's id): where something may be in use.
        self._places: set[Place] = set()

    def begin(self, project: str, region: str, service: str, amount: int) -> None:
        """Use so many cores, or GiB, instead of what was used before.

        Left out while another change is under way, where the project (by its name) is not
        made yet, and where its quota is too small: a service gives nobody more than that.
        """
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(
                target=self._try, args=(project, region, service, amount), daemon=True
            )
            self._thread.start()

    def wait(self) -> None:
        """Return once no change is under way."""
        if self._thread is not None:
            self._thread.join()

    def end(self) -> None:
        """Use nothing any more. Raises RuntimeError or AssertionError where that fails."""
        self.wait()
        while self._places:
            place = self._places.pop()
            self._set(place, 0)

    def _try(self, project: str, region: str, service: str, amount: int) -> None:
        try:
            path = f"/projects?name={project}"
            for found in self._site.plain.done("GET", "identity", path)["projects"]:
                place = (service, region, found["id"])
                self._places.add(place)
                self._set(place, amount)
        except (OSError, RuntimeError, AssertionError):
            pass  # it does not fit, or the service is overloaded for the moment

    def _set(self, place: Place, amount: int) -> None:
        service, region, project_id = place
        count = min(amount, 1)
        if service == "compute":
            openstack.run(
                "instances", region, project_id, str(count),
                "--vcpus", str(amount), "--ram", "1", "--instead",
            )  # fmt: skip
        else:
            self._site.set_volumes(
                region, project_id, count, gib=amount, volume_type=self._volume_type
            )
