"""A sweep's transaction about one of many: who cannot be served now holds up nobody else."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, transaction

from portal.lib.errors import DomainError
from portal.lib.locks import refusal_of

logger = logging.getLogger(__name__)


@contextmanager
def one_of_many(what: str, pk: int) -> Iterator[None]:
    """A transaction; what is refused, or held by others for long, is left for the next sweep.

    A database that is away is raised: it is so for all.
    """
    try:
        with transaction.atomic():
            yield
    except DomainError as refusal:
        logger.warning("%s %s is left for the next sweep: %s", what, pk, refusal.sentence)
    except OperationalError as error:
        if refusal_of(error) is None:
            raise
        logger.warning("%s %s is held by others: left for the next sweep", what, pk)
