"""How a service of an OpenStack cloud is called: one session per cloud and region.

Address, credentials and catalogue come from clouds.yaml through openstacksdk. The
library's own retries are off: delivery decides when to try again. Whatever goes wrong
leaves here as a `BackendError`.
"""

import functools
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import keystoneauth1.session
import openstack.config
import requests
from keystoneauth1 import adapter as ks_adapter
from keystoneauth1 import discover as ks_discover
from keystoneauth1 import exceptions as ks_errors
from openstack import exceptions as sdk_errors

from quotas.backends.base import EndpointConfig
from quotas.backends.deadline import Deadline, TimeLeft, http_session
from quotas.backends.errors import BackendError, Kind, broken
from quotas.backends.sorting import Rule, sort_answer, sort_failure

Answer = TypeVar("Answer")


@dataclass
class _Region:
    """The library's view of one cloud and region, with what was made of it: {service type: …}.

    To ask it takes it longer than to call: it copies all of its configuration for each answer.
    """

    config: Any
    adapters: dict[str, ks_adapter.Adapter] = field(default_factory=dict)
    versions: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    # With the sign-in whose catalogue says so: the next one may have moved the service.
    addresses: dict[str, tuple[Any, str]] = field(default_factory=dict)


_regions: dict[tuple[Any, ...], _Region] = {}
_regions_lock = threading.Lock()


def _region_key(config: EndpointConfig) -> tuple[Any, ...]:
    # With the process in the key, a forked worker never shares its parent's sockets.
    return (os.getpid(), config.clouds_file, config.cloud, config.region_name)


def _open_region(config: EndpointConfig) -> _Region:
    """One cloud and region, made once per process."""
    key = _region_key(config)
    with _regions_lock:
        if key not in _regions:
            _regions[key] = _Region(_load_region(config))
        return _regions[key]


def _load_region(config: EndpointConfig) -> Any:
    name = config.clouds_file or os.environ.get("OS_CLIENT_CONFIG_FILE")
    files = [name] if name else None
    if name and not Path(name).is_file():
        raise BackendError(Kind.REFUSED, "configuration", f"{name} is not there to be read")
    loader = openstack.config.OpenStackConfig(
        config_files=files,
        # Beside a named file, as the library does for the files that it finds itself.
        secure_files=[str(Path(name).with_name("secure.yaml"))] if name else None,
        load_envvars=False,  # a worker's environment must not change which cloud is meant
        session_constructor=functools.partial(  # type: ignore[arg-type]  # called, not subclassed
            keystoneauth1.session.Session, session=http_session()
        ),
    )
    return loader.get_one(cloud=config.cloud, region_name=config.region_name)


def forget(config: EndpointConfig) -> None:
    """Drop the session: the next call reads clouds.yaml, signs in and discovers anew."""
    with _regions_lock:
        _regions.pop(_region_key(config), None)


class Service:
    """One service, called by path; what drivers of OpenStack services share.

    `service_type` is the catalogue's, by its official name; `rules` sort the refusals
    that only this service's words tell apart. `microversions` is the (lowest, highest)
    that the driver understands, each as (major, minor); None sends no version.
    """

    page_size: ClassVar[int] = 1000

    def __init__(
        self,
        config: EndpointConfig,
        service_type: str,
        *,
        rules: Sequence[Rule] = (),
        microversions: tuple[tuple[int, int], tuple[int, int]] | None = None,
    ) -> None:
        self.config = config
        self.service_type = service_type
        self.rules = rules
        self.microversions = microversions

    def call(
        self,
        method: str,
        path: str,
        *,
        timeout: float,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str | Sequence[str]] | None = None,
    ) -> dict[str, Any]:
        """One request, or two where the token had run out; the answer's JSON object.

        Raises `BackendError`, whatever happened.
        """
        is_write = method not in ("GET", "HEAD")

        def ask(adapter: ks_adapter.Adapter) -> requests.Response:
            return adapter.request(
                path,
                method,
                json=body,
                params=query,
                microversion=self._microversion(adapter),
                raise_exc=False,
                redirect=False,
                headers={"Accept": "application/json"},
                **self._address(adapter),
            )

        response = self._within(timeout, ask, write=(method, path) if is_write else None)
        return self._answer(response, is_write)

    def rows(
        self,
        path: str,
        name: str,
        left: TimeLeft,
        *,
        query: Mapping[str, str | Sequence[str]] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """All rows of a list, {name: [..]}, page by page; each row has an "id".

        For lists that take `limit` and `marker` and link to the next page as "<name>_links".
        """
        asked = {**(query or {}), "limit": str(self.page_size)}
        while True:
            answer = self.call("GET", path, query=asked, timeout=left())
            rows = answer.get(name)
            if not isinstance(rows, list):
                raise broken(str(answer))
            yield from (checked_row(row) for row in rows)
            links = answer.get(f"{name}_links") or []
            if not rows or not any(link.get("rel") == "next" for link in links):
                return
            asked["marker"] = checked_row(rows[-1])["id"]

    def home_domain(self, *, timeout: float) -> str | None:
        """The domain of the project that we are signed in to. Raises `BackendError`."""

        def look(adapter: ks_adapter.Adapter) -> str | None:
            session = adapter.session
            access = session.auth.get_access(session)  # type: ignore[union-attr]  # v3 has it
            domain_id: str | None = access.project_domain_id
            return domain_id

        return self._within(timeout, look)

    def _within(
        self,
        timeout: float,
        work: Callable[[ks_adapter.Adapter], Answer],
        *,
        write: tuple[str, str] | None = None,
    ) -> Answer:
        """Do the work under a deadline; sort whatever it raises."""
        deadline = Deadline(timeout)
        try:
            with deadline:
                return work(self._adapter())
        except (
            BackendError,
            ks_errors.ClientException,
            sdk_errors.SDKException,
            requests.RequestException,
            OSError,
            # What the library raises over a token or catalogue of another shape.
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
        ) as error:
            found = sort_failure(error, self._place(), timed_out=deadline.is_over)
            found.uncertain = write is not None and any(
                verb == write[0] and write[1] in url for verb, url in deadline.sent
            )
            if found.code in ("credentials", "no_endpoint", "configuration", "broken_answer"):
                forget(self.config)
            raise found from error

    def _place(self) -> str:
        return f"{self.service_type} of {self.config.cloud} {self.config.region_name or ''}".strip()

    def _adapter(self) -> ks_adapter.Adapter:
        region = _open_region(self.config)
        kind = self.service_type
        if kind not in region.adapters:
            # Two threads may make one each: either is as good.
            region.adapters[kind] = ks_adapter.Adapter(
                region.config.get_session(),
                service_type=region.config.get_service_type(kind),
                service_name=region.config.get_service_name(kind),
                interface=region.config.get_interface(kind),
                region_name=region.config.get_region_name(kind),
                endpoint_override=region.config.get_endpoint(kind),
                connect_retries=0,
                status_code_retries=0,
            )
        return region.adapters[kind]

    def _address(self, adapter: ks_adapter.Adapter) -> dict[str, str]:
        """Where the service is, as the library would find it: it copies and sorts the whole
        catalogue for each call. Empty where it is to find it itself."""
        auth: Any = adapter.session.auth
        if adapter.endpoint_override or not hasattr(auth, "auth_ref"):
            return {}
        addresses = _open_region(self.config).addresses
        known = addresses.get(self.service_type)
        if known is None or known[0] is not auth.auth_ref:
            # Before it is looked for: another thread may sign in anew meanwhile.
            access, found = auth.get_access(adapter.session), adapter.get_endpoint()
            if not found:
                return {}
            # The library fills in what it finds behind a percent sign.
            known = addresses[self.service_type] = (access, found.replace("%", "%%"))
        return {"endpoint_override": known[1]}

    def _microversion(self, adapter: ks_adapter.Adapter) -> str | None:
        """The highest version that both sides know; None where the service tells nothing."""
        if self.microversions is None:
            return None
        spoken = _open_region(self.config).versions
        known = spoken.get(self.service_type)
        if known is None:
            data = adapter.get_endpoint_data()
            # Also of a service that could not be asked for its versions: it is asked again by
            # the next call. One that has none costs nothing more, as the session keeps that.
            if data is None or not data.max_microversion:
                return None
            # As long as the session, which keeps for as long what else was discovered.
            known = spoken[self.service_type] = (data.min_microversion, data.max_microversion)
        oldest, newest = known
        lowest, highest = self.microversions
        chosen = min(highest, newest)
        oldest_known = oldest or lowest
        if chosen < lowest or chosen < oldest_known:
            raise BackendError(
                Kind.REFUSED,
                "no_endpoint",
                f"{self._place()} speaks versions {_text(oldest_known)} to "
                f"{_text(newest)}; the driver needs {_text(lowest)} to "
                f"{_text(highest)}",
            )
        return _text(chosen)

    def _answer(self, response: requests.Response, is_write: bool) -> dict[str, Any]:
        if response.status_code >= 300:
            found = sort_answer(response, self.rules)
            found.uncertain = is_write and response.status_code >= 500
            if found.code in ("credentials", "version"):
                forget(self.config)
            raise found
        if response.status_code == 204 or not response.content:
            return {}
        try:
            answer = response.json()
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise broken(response.text, response.status_code, uncertain=is_write)
        return answer


def checked_row(row: Any) -> dict[str, Any]:
    """A row of a list; raises for what is none."""
    if not isinstance(row, dict) or "id" not in row:
        raise broken(str(row))
    return row


def _text(version: tuple[int | float, ...]) -> str:
    return str(ks_discover.version_to_string(version))
