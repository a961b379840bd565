"""Sign-in at an OpenID provider: who does it say somebody is?

The protocol alone (authorization code, PKCE, nonce, state); it knows no model and no page.
Nothing is imported here: settings read `registration` without a web client.
"""
