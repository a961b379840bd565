"""Which directory the site has, by its settings; the library for it is needed only then."""

from contextlib import AbstractContextManager

from django.conf import settings

from .base import Directory, DirectoryFailed


def open_directory() -> AbstractContextManager[Directory]:
    """The site's directory, not yet connected. Raises DirectoryFailed where there is none."""
    if settings.DIRECTORY is None:
        raise DirectoryFailed("no directory is set: see DIRECTORY_URL")
    try:
        # The library is compiled, and no site without a directory should need it.
        from .ldap_directory import LdapConfig, LdapDirectory
    except ImportError as error:
        raise DirectoryFailed("python-ldap is not installed: requirements-ldap.txt") from error
    return LdapDirectory(LdapConfig(**settings.DIRECTORY))
