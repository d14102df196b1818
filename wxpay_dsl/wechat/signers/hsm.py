"""Signs and decrypts in a hardware security module (HSM), or any other token with a PKCS#11 interface.

Needs the extra ``pkcs11``: ``pip install 'wxpay-dsl[pkcs11]'``, and the PKCS#11 module, a shared object, from the
token's vendor.
"""

from __future__ import annotations

import os
from binascii import b2a_base64
from collections.abc import Callable
from typing import Any, Final, TypeVar

from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.wechat.crypto.decryptor import Padding, undecryptable
from wxpay_dsl.wechat.crypto.signer import SignerError
from wxpay_dsl.wechat.v3 import authorization

from .own_thread import OwnThread

__all__ = ["Pkcs11Signer"]

T = TypeVar("T")

#: The errors that mean a lost session: the token was removed, or another process closed the session.
_LOST: Final = (
    "DeviceError",
    "DeviceRemoved",
    "SessionClosed",
    "SessionHandleInvalid",
    "TokenNotPresent",
    "UserNotLoggedIn",
)


class Pkcs11Signer:
    """A private key on a token, found by its label or its id. The session is opened at the first use.

    A lost session is opened again, once for each call. A wrong PIN is never tried twice, since tokens lock themselves.
    """

    def __init__(
        self,
        module: str,
        *,
        token: str,
        pin: str | Callable[[], str],
        label: str | None = None,
        id: bytes | None = None,  # noqa: A002 (what PKCS#11 calls it)
    ) -> None:
        """``module``: path of the PKCS#11 module; ``token``: the token's label; ``pin``: the user PIN, or a function
        that returns it; ``label`` or ``id``: those of the private key. Raises ConfigurationError if both are missing.
        """
        if label is None and id is None:
            raise ConfigurationError("PKCS#11: give the private key's `label`, or its `id`")
        self._module = module
        self._token = token
        self._pin = pin
        self._key_attributes: dict[str, Any] = {"label": label} if label is not None else {}
        if id is not None:
            self._key_attributes["id"] = id
        # One dedicated thread: a session must not be used by two threads at once, and a token may take milliseconds.
        self._thread = OwnThread("wxpay-pkcs11")
        #: The process that opened the session; 0: none yet.
        self._pid = 0
        self._session: Any = None
        self._key: Any = None
        self._pin_error: ConfigurationError | None = None

    @property
    def scheme(self) -> str:
        """``WECHATPAY2-SHA256-RSA2048``"""
        return authorization.RSA_SCHEME

    async def sign(self, message: bytes) -> str:
        """The signature over ``message`` in base64.

        Raises ConfigurationError for a wrong token, key or PIN, SignerError if the token fails.
        """
        return await self._run(lambda key: _sign(key, message))

    async def decrypt(self, ciphertext: bytes, padding: Padding = "oaep") -> bytes:
        """The plaintext of one RSA block. Raises DecryptionError, and as :meth:`sign`."""
        return await self._run(lambda key: _decrypt(key, ciphertext, padding))

    async def close(self) -> None:
        """Closes the session and ends the thread."""
        if self._pid in (0, os.getpid()):
            await self._thread.run(self._drop_session)
        self._thread.close()

    def __repr__(self) -> str:
        return f"<Pkcs11Signer {self._key_attributes} on {self._token!r}>"

    def __reduce__(self) -> str:
        raise TypeError("a signer holds a PIN and is never pickled")

    async def _run(self, work: Callable[[Any], T]) -> T:
        if self._pid not in (0, os.getpid()):
            raise self._configuration_error(
                "this process was forked from one that had opened the token, and PKCS#11 sessions do not survive "
                "that: create the signer in the process that uses it (gunicorn: without `preload_app`, or in "
                "`post_fork`)"
            )
        return await self._thread.run(self._with_key, work)

    def _with_key(self, work: Callable[[Any], T]) -> T:
        """Runs ``work`` in the thread; a session that was lost since the last use is opened again."""
        first_use = self._key is None
        try:
            return work(self._open_key())
        except _pkcs11().exceptions.PKCS11Error as error:
            if first_use or type(error).__name__ not in _LOST:
                raise self._signer_error(error) from error
        self._drop_session()
        try:
            return work(self._open_key())
        except _pkcs11().exceptions.PKCS11Error as error:
            raise self._signer_error(error) from error

    def _open_key(self) -> Any:
        if self._pin_error is not None:
            raise self._pin_error
        if self._key is None:
            self._pid = os.getpid()
            self._session = self._open_session()
            keys = self._find_keys()
            if len(keys) != 1:
                self._drop_session()
                if keys:
                    raise self._configuration_error(
                        f"several private keys match {self._key_attributes}: give the `id` of one"
                    )
                raise self._configuration_error(
                    f"no private key on the token {self._token!r} matches {self._key_attributes}"
                )
            self._key = keys[0]
        return self._key

    def _open_session(self) -> Any:
        pkcs11 = _pkcs11()
        errors = pkcs11.exceptions
        pin = self._pin() if callable(self._pin) else self._pin
        try:
            return pkcs11.lib(self._module).get_token(token_label=self._token).open(user_pin=pin)
        except (errors.PinIncorrect, errors.PinInvalid, errors.PinLocked, errors.PinLenRange) as error:
            # Another attempt could lock the token.
            self._pin_error = self._configuration_error(
                f"the PIN was rejected ({type(error).__name__}) and is not tried again"
            )
            raise self._pin_error from None
        except errors.NoSuchToken:
            raise self._configuration_error(f"no token has the label {self._token!r}") from None
        except errors.MultipleTokensReturned:
            raise self._configuration_error(f"several tokens have the label {self._token!r}") from None
        except (RuntimeError, OSError) as error:
            raise self._configuration_error(f"the module {self._module} cannot be loaded: {error}") from None

    def _find_keys(self) -> list[Any]:
        attribute, classes = _pkcs11().Attribute, _pkcs11().ObjectClass
        query = {attribute.CLASS: classes.PRIVATE_KEY}
        query |= {attribute[name.upper()]: value for name, value in self._key_attributes.items()}
        # Read to the end: an unfinished search would be closed by the garbage collector, after the session.
        return list(self._session.get_objects(query))

    def _drop_session(self) -> None:
        session, self._session, self._key = self._session, None, None
        if session is not None:
            try:
                session.close()
            except _pkcs11().exceptions.PKCS11Error:
                # The session was lost already.
                return

    def _signer_error(self, error: Exception) -> SignerError:
        self._drop_session()
        detail = f": {error}" if str(error) else ""
        return SignerError(f"PKCS#11 token {self._token!r}: {type(error).__name__}{detail}")

    def _configuration_error(self, message: str) -> ConfigurationError:
        return ConfigurationError(f"PKCS#11: {message}")


def _sign(key: Any, message: bytes) -> str:
    signature = key.sign(message, mechanism=_pkcs11().Mechanism.SHA256_RSA_PKCS)
    return b2a_base64(signature, newline=False).decode("ascii")


def _decrypt(key: Any, ciphertext: bytes, padding: Padding) -> bytes:
    pkcs11 = _pkcs11()
    mechanism, parameter = pkcs11.Mechanism.RSA_PKCS, None
    if padding == "oaep":
        mechanism = pkcs11.Mechanism.RSA_PKCS_OAEP
        parameter = (pkcs11.Mechanism.SHA_1, pkcs11.MGF.SHA1, None)
    try:
        plaintext: bytes = key.decrypt(ciphertext, mechanism=mechanism, mechanism_param=parameter)
    except (
        pkcs11.exceptions.EncryptedDataInvalid,
        pkcs11.exceptions.EncryptedDataLenRange,
        pkcs11.exceptions.GeneralError,
        pkcs11.exceptions.FunctionFailed,
    ):
        raise undecryptable(padding) from None
    return plaintext


def _pkcs11() -> Any:
    try:
        import pkcs11
    except ModuleNotFoundError:
        raise ConfigurationError("an HSM needs the library python-pkcs11: pip install 'wxpay-dsl[pkcs11]'") from None
    return pkcs11
