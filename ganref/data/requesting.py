"""One request, and why it gave nothing, in a few words that a person can act on."""

from __future__ import annotations

import os
import ssl
from typing import Any

# Seconds to connect, and between two pieces of an answer.
TIMEOUT = (10, 30)


class Setup(Exception):
    """What is wrong with how requests are set up here, in a few words."""


def answer(url: str, headers: dict[str, str]) -> Any:
    """The response to a request, its body still to come. Raises requests.RequestException, and
    Setup for what requests raises otherwise: a file of certificates that is not there, a proxy
    that is no address."""
    import requests

    try:
        return requests.get(url, headers=headers, stream=True, timeout=TIMEOUT)
    except requests.RequestException:
        raise
    except Exception as error:
        if isinstance(error, OSError) and _bundle():
            raise Setup(_bundle()) from error
        raise Setup(str(error).partition("\n")[0] or type(error).__name__) from error


def reason(error: Exception) -> str:
    """Why an address gave nothing."""
    import requests

    response = getattr(error, "response", None)
    if response is not None:
        return f"{response.status_code} {response.reason}"
    if isinstance(error, Setup):
        return str(error)
    # Both are kinds of "no connection" to requests.
    if isinstance(error, requests.exceptions.ProxyError):
        return f"no answer through the proxy {_proxy(error)}; check HTTP_PROXY and HTTPS_PROXY"
    if isinstance(error, requests.exceptions.SSLError):
        return _tls_reason(error)
    if isinstance(error, requests.Timeout):
        return "timed out"
    return "cut off" if isinstance(error, requests.exceptions.ChunkedEncodingError) else "no answer"


def _bundle() -> str:
    """What to do about the file of certificates that requests was told to trust, if it was."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if os.environ.get(name):
            return f"no certificates can be read from {os.environ[name]}; correct or unset {name}"
    return ""


def _proxy(error: Any) -> str:
    """The address of the proxy that a failed request was to go through, without its password."""
    from urllib.parse import urlsplit

    from requests.utils import get_environ_proxies, select_proxy

    url = error.request.url
    told = select_proxy(url, get_environ_proxies(url)) or "that is set"
    return told.rpartition("@")[2] if "@" in told else urlsplit(told).netloc or told


def _tls_reason(error: BaseException) -> str:
    """What the TLS library said, which the wrappings of two libraries hide."""
    todo: list[object] = [error]
    while todo:
        inner = todo.pop()
        if isinstance(inner, ssl.SSLCertVerificationError):
            return (
                f"its certificate is not trusted ({inner.verify_message}); REQUESTS_CA_BUNDLE names"
                " a file of others to trust"
            )
        if isinstance(inner, ssl.SSLError) and inner.reason:
            if inner.reason == "NO_CERTIFICATE_OR_CRL_FOUND" and _bundle():
                return _bundle()
            return f"no secure connection ({inner.reason.replace('_', ' ').lower()})"
        if isinstance(inner, BaseException):
            todo += [*inner.args, getattr(inner, "reason", None), inner.__cause__]
    return "no secure connection"
