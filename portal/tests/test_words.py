"""The reader's words: looked up once, and never another reader's."""

from django.utils import translation
from django.utils.translation.reloader import translation_file_changed

from contrib import messages
from portal.lib.words import gettext, words_key


def test_each_reader_gets_the_words_of_their_language_however_often_they_are_asked_for():
    for _again in range(2):
        with translation.override("en"):
            assert gettext("Sunday") == "Sunday"
        with translation.override("fr"):
            assert gettext("Sunday") == translation.gettext("Sunday") == "dimanche"


def test_words_that_are_read_anew_are_looked_up_anew():
    with translation.override("fr"):
        before = words_key()
        assert words_key() is before
        translation_file_changed(None, messages.LOCALE / "fr" / "LC_MESSAGES" / "django.mo")
    with translation.override("fr"):
        assert words_key() is not before
