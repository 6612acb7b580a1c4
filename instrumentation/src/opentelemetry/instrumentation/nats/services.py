"""nats.micro: an error that a service answers is an error of its handling, and of the request.

Neither side sees an exception: the framework catches what a handler raises, and the error
travels in the headers of the reply.
"""

import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from wrapt import when_imported

from .handling import handling_of
from .headers import lower_case
from .telemetry import harmless
from .wrapping import hook_in, hook_out

_MODULE: Final = "nats.micro.request"
_METHOD: Final = "respond_error"

_ERROR: Final = "nats-service-error"
_CODE: Final = "nats-service-error-code"


class _State:
    wanted = False
    asked = False


def watch() -> None:
    """Watch the services of nats.micro, from now on or from its import on."""
    _State.wanted = True
    if not _State.asked:
        _State.asked = True
        when_imported(_MODULE)(_wrap)
    elif _MODULE in sys.modules:
        _wrap(sys.modules[_MODULE])


def forget() -> None:
    """Stop watching them."""
    _State.wanted = False
    if _MODULE in sys.modules:
        hook_out(sys.modules[_MODULE].Request, _METHOD, _respond_error)


def error_in(headers: Mapping[str, Any] | None) -> tuple[str, str] | None:
    """The code and the text of the error that a reply with these *headers* carries, or None."""
    if not headers:
        return None
    names = lower_case(tuple(headers))
    if _CODE not in names and _ERROR not in names:
        return None
    code, text = (str(headers[names[name]]) if name in names else "" for name in (_CODE, _ERROR))
    return code, text


def _wrap(module: Any) -> None:
    if _State.wanted:
        hook_in(module.Request, _METHOD, _respond_error)


async def _respond_error(
    wrapped: Callable[..., Awaitable[Any]], request: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Wrap ``Request.respond_error``, which the framework calls for what a handler raised as well."""
    code = args[0] if args else kwargs.get("code")
    text = args[1] if len(args) > 1 else kwargs.get("description")
    _note(request, code, text, sys.exc_info()[1])
    return await wrapped(*args, **kwargs)


@harmless
def _note(request: Any, code: Any, text: Any, raised: BaseException | None) -> None:
    handling = handling_of(request._msg)
    if handling is None or handling.ended:
        return
    # Only the framework answers with the error's own words; a handler may be dealing with another error.
    if raised is not None and text == repr(raised):
        handling.failed(raised)
    else:
        handling.refused(str(code), str(text), raised)
