"""Which count of transactions the record goes by: a restored database begins another one."""

from django.db import models
from django.db.models.functions import Now


class Era(models.Model):
    """A stretch of the record on one count of transactions, that of a database server.

    A restore begins the server's count anew, or takes it back: the record goes on by adding
    `lead`, so far ahead that no place of it comes twice. What readers may have seen between the
    last event that is left and that point is gone: places in there are none any more. Written by
    remit_begin_era() of migration `eras` alone.
    """

    # The server's identifier and its timeline; empty where it does not tell.
    cluster = models.CharField(max_length=60, blank=True)
    lead = models.BigIntegerField()
    last_xid = models.BigIntegerField()
    gone_until = models.BigIntegerField()
    began_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.pk}: {self.cluster}"
