"""The numbers at /metrics: computed when asked for, by whoever registered them.

Nothing is counted in this process, so any web process answers for the whole site.
"""

import logging
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

logger = logging.getLogger(__name__)

Collect = Callable[[], Iterable[Metric]]

_collectors: dict[str, Collect] = {}


def register(name: str, collect: Collect) -> None:
    """Add a source of metrics; the same name again replaces it. Call from AppConfig.ready."""
    _collectors[name] = collect


def gauge(
    name: str, description: str, values: dict[tuple[str, ...], float], *labels: str
) -> Metric:
    """One gauge: values is {label values, in the order of labels: number}."""
    family = GaugeMetricFamily(name, description, labels=list(labels))
    for label_values, value in values.items():
        family.add_metric(list(label_values), value)
    return family


class _Everything:
    """What prometheus-client asks; a source that fails is left out and counted."""

    def collect(self) -> Iterable[Metric]:
        failed: dict[tuple[str, ...], float] = {}
        for name, collect in _collectors.items():
            try:
                metrics = list(collect())
            except Exception:
                logger.warning("a source of metrics failed", extra={"source": name}, exc_info=True)
                failed[name,] = 1.0
            else:
                failed[name,] = 0.0
                yield from metrics
        yield gauge("remit_metrics_failed", "1: this source could not be read", failed, "source")


def exposition() -> bytes:
    """The text format of Prometheus."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Everything())
    return generate_latest(registry)
