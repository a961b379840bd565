"""What a site chooses about its clouds: where they are, how they are spoken to, how often."""

from portal.lib import env
from portal.observing import OBSERVE_SECONDS, SURVEY_TIMEOUT_SECONDS

# Credentials of the clouds; read by the workers alone, openstacksdk's own format.
CLOUDS_YAML = env.text("CLOUDS_YAML")
# Drivers that come with Remit, "package.module:Class"; installed packages add theirs by the
# entry point group "remit.backends".
QUOTA_DRIVERS = {
    "keystone": "quotas.backends.keystone:KeystoneDriver",
    "nova": "quotas.backends.nova:NovaDriver",
    "cinder": "quotas.backends.cinder:CinderDriver",
    "neutron": "quotas.backends.neutron:NeutronDriver",
    "manila": "quotas.backends.manila:ManilaDriver",
    "octavia": "quotas.backends.octavia:OctaviaDriver",
    "rgw": "quotas.backends.rgw:RgwDriver",
    "keystone_limits": "quotas.backends.keystone_limits:KeystoneLimitsDriver",
    "flavor_access": "quotas.backends.access:FlavorAccessDriver",
    "type_access": "quotas.backends.access:TypeAccessDriver",
}
LEASE_SECONDS = env.integer("LEASE_SECONDS", 60, low=2, high=600)
CALL_TIMEOUT_SECONDS = env.seconds("CALL_TIMEOUT_SECONDS", 20, low=0.1, high=300)
SWEEP_SECONDS = env.seconds("SWEEP_SECONDS", 2, low=0.2, high=60)
OBSERVE_SWEEP_SECONDS = min(30.0, OBSERVE_SECONDS)
RETRY_BASE_SECONDS = env.seconds("RETRY_BASE_SECONDS", 5, low=0.1, high=600)
RETRY_CAP_SECONDS = env.seconds("RETRY_CAP_SECONDS", 600, low=1, high=86_400)
REFUSED_RECHECK_SECONDS = env.seconds("REFUSED_RECHECK_SECONDS", 300, low=1, high=86_400)
# For endpoints whose row of the catalogue says nothing; 0: as fast as it answers.
ENDPOINT_CONCURRENCY = env.integer("ENDPOINT_CONCURRENCY", 8, low=1, high=500)
ENDPOINT_CALLS_PER_SECOND = env.integer("ENDPOINT_CALLS_PER_SECOND", 0, low=0, high=10_000)
# A file of the site beside quotas/problems/known.yaml, which says what stands in it.
KNOWN_PROBLEMS = env.text("KNOWN_PROBLEMS")
if CALL_TIMEOUT_SECONDS >= LEASE_SECONDS:
    raise env.Refused(
        [
            f"CALL_TIMEOUT_SECONDS is {CALL_TIMEOUT_SECONDS:g}, not shorter than LEASE_SECONDS "
            f"({LEASE_SECONDS}): a call could outlive its lease; lower it."
        ]
    )
if SURVEY_TIMEOUT_SECONDS < 2 * CALL_TIMEOUT_SECONDS:
    raise env.Refused(
        [
            f"SURVEY_TIMEOUT_SECONDS is {SURVEY_TIMEOUT_SECONDS:g}, less than two calls of "
            f"CALL_TIMEOUT_SECONDS ({CALL_TIMEOUT_SECONDS:g}): no survey could end; raise it."
        ]
    )
