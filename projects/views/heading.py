"""Where was somebody heading before they had to sign in?"""

from django.http import HttpRequest
from django.utils.http import url_has_allowed_host_and_scheme


def next_of(request: HttpRequest) -> str:
    """The address that the form or the link names, if it is one of this site; "" otherwise."""
    return ours(request, request.POST.get("next", request.GET.get("next", "")))


def ours(request: HttpRequest, wanted: str) -> str:
    """An address of this site as it is, "" for any other."""
    is_ours = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if is_ours else ""
