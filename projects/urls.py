"""Addresses of people, units and projects."""

from django.urls import URLPattern, URLResolver, path

from projects.views import mail, me, provider, sign_in

urlpatterns: list[URLPattern | URLResolver] = [
    path("sign-in/", sign_in.sign_in, name="sign_in"),
    path("sign-in/provider/", provider.begin, name="sign_in_begin"),
    path("sign-in/return/", provider.come_back, name="sign_in_return"),
    path("sign-out/", sign_in.sign_out, name="sign_out"),
    path("me/", me.me, name="me"),
    path("me/mail/", mail.mail_choices, name="mail_choices"),
    path("mail/stop/<str:text>/", mail.mail_stop, name="mail_stop"),
    path("language/", me.set_language, name="set_language"),
]
