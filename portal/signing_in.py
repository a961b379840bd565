"""How people sign in, from the environment: at which provider, and when local names lock."""

from datetime import timedelta

from portal.lib import env
from portal.lib.openid.registration import Registration

# What the button of the sign-in page calls it: "Sign in with …".
OIDC_NAME = env.text("OIDC_NAME", "single sign-on")
# The claim that holds somebody's groups: ids, or objects with id and name. "none": it says nothing.
_claim = env.text("OIDC_GROUPS_CLAIM", "groups")
OIDC_GROUPS_CLAIM = "" if _claim == "none" else _claim


def registration(*, is_production: bool) -> Registration | None:
    """How the provider knows this site; None: nobody signs in at one."""
    schemes = ("https",) if is_production else ("https", "http")
    issuer = env.url("OIDC_ISSUER", schemes=schemes)
    if not issuer:
        return None
    client_id = env.text("OIDC_CLIENT_ID")
    scopes = tuple(env.items("OIDC_SCOPES", ("openid", "profile", "email")))
    if not client_id:
        raise env.Refused(
            ["OIDC_CLIENT_ID is not set beside OIDC_ISSUER: write what the provider calls Remit."]
        )
    if "openid" not in scopes:
        raise env.Refused(["OIDC_SCOPES lacks openid, without which nobody is known: add it."])
    return Registration(
        issuer=issuer,
        client_id=client_id,
        client_secret=env.text("OIDC_CLIENT_SECRET"),
        scopes=scopes,
        timeout=env.seconds("OIDC_TIMEOUT_SECONDS", 5, low=0.5, high=30),
        leeway=env.integer("OIDC_LEEWAY_SECONDS", 60, low=0, high=600),
    )


# A name that somebody fails to sign in with from one address so often is locked from there.
AXES_FAILURE_LIMIT = env.integer("SIGN_IN_TRIES", 5, low=1, high=100)
AXES_COOLOFF_TIME = timedelta(minutes=env.integer("SIGN_IN_LOCK_MINUTES", 15, low=1, high=1_440))
# Not the name alone, by which anybody could lock somebody else out.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_USERNAME_FORM_FIELD = "username"
AXES_CLIENT_IP_CALLABLE = "projects.auth.address_of"
AXES_LOCKOUT_CALLABLE = "projects.views.sign_in.locked_out"
AXES_RESET_ON_SUCCESS = True
# Who goes on trying does not wait any longer for it.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
# Failures alone are kept, until they count no more: who signed in when is nobody's business.
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
