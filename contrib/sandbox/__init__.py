"""The sandbox cloud: the quota and project parts of OpenStack's services and of a Ceph gateway, in
one process.

For demonstrations and as the fault bench of the tests; it enforces nothing but the quotas of its
object storage, and keeps no secret worth having. It knows nothing of Remit: only `control.py` is
meant to be imported.
"""
