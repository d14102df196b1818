"""QR codes of payment links (``code_url`` of Native支付): in the terminal, as SVG, as PNG.

Needs the extra ``qr``: ``pip install 'wxpay-dsl[qr]'``.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any, Final

from wxpay_dsl.core.errors import ConfigurationError, FieldError, ValidationError
from wxpay_dsl.core.response import Response

__all__ = ["png", "svg", "terminal"]

#: Maximum length of a URL, in characters; larger codes are hard for phones to read.
_LIMIT: Final = 512


def terminal(code: Response[Any] | Mapping[str, Any] | str) -> str:
    """The code as text for a terminal, in half blocks, dark on light whatever the terminal's colours.

    ``code`` is a ``code_url``, or the response that has one. Raises ValidationError if it has none,
    ConfigurationError if the library is not installed.
    """
    out = io.StringIO()
    _qr_code(code).terminal(out, border=2, compact=True)
    return out.getvalue()


def svg(code: Response[Any] | Mapping[str, Any] | str, *, scale: int = 8) -> str:
    """The code as an ``<svg>`` element for a page; ``scale``: pixels per module. Raises as :func:`terminal`."""
    drawn: str = _qr_code(code).svg_inline(scale=scale, light="white")
    return drawn


def png(code: Response[Any] | Mapping[str, Any] | str, *, scale: int = 8) -> bytes:
    """The code as the bytes of a PNG file; ``scale``: pixels per module. Raises what :func:`terminal` raises."""
    out = io.BytesIO()
    _qr_code(code).save(out, kind="png", scale=scale)
    return out.getvalue()


def _qr_code(code: Response[Any] | Mapping[str, Any] | str) -> Any:
    try:
        import segno
    except ModuleNotFoundError:
        raise ConfigurationError("QR codes need the library segno: pip install 'wxpay-dsl[qr]'") from None
    named = code.data if isinstance(code, Response) else code
    url = named.get("code_url") if isinstance(named, Mapping) else named
    if not isinstance(url, str) or not url or not url.isprintable() or len(url) > _LIMIT:
        message = f"expected a code_url such as weixin://wxpay/bizpayurl?pr=…, of at most {_LIMIT} characters"
        raise ValidationError("qr", (FieldError("code_url", message),))
    return segno.make(url, error="m", micro=False)
