"""Signs and decrypts in a hardware security module, or any other token that speaks PKCS#11.

The library comes with the extra ``pkcs11``: ``pip install 'wxpay-dsl[pkcs11]'``; the module, a shared object, from
whoever made the token.
"""

from __future__ import annotations

import os
from binascii import b2a_base64
from collections.abc import Callable
from typing import Any, Final, TypeVar

from wxpay_dsl.core.errors import ConfigurationError
from wxpay_dsl.wechat.crypto.decryptor import Padding, undecryptable
from wxpay_dsl.wechat.v3 import authorization

from .local import SignerError
from .own_thread import OwnThread

__all__ = ["Pkcs11Signer"]

T = TypeVar("T")

#: What a token says when a session is gone, be it that the token was taken out or that another process closed it.
_LOST: Final = (
    "DeviceError",
    "DeviceRemoved",
    "SessionClosed",
    "SessionHandleInvalid",
    "TokenNotPresent",
    "UserNotLoggedIn",
)


class Pkcs11Signer:
    """A private key on a token, found by its label or its id. It opens a session when it is first needed.

    A session that was lost is opened again, once for each call. A wrong PIN is never tried twice: tokens lock.
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
        """``module``: the path of the token's shared object; ``token``: its label; ``pin``: the user's PIN, or what
        fetches it; ``label`` or ``id``: the private key's. Raises ConfigurationError where both are missing.
        """
        if label is None and id is None:
            raise ConfigurationError("PKCS#11: give the private key's `label`, or its `id`")
        self._module = module
        self._token = token
        self._pin = pin
        self._named: dict[str, Any] = {"label": label} if label is not None else {}
        if id is not None:
            self._named["id"] = id
        # A session is not for two threads at once, and a token may take milliseconds: one thread of its own.
        self._thread = OwnThread("wxpay-pkcs11")
        #: The process that has the token open; 0: none yet.
        self._pid = 0
        self._session: Any = None
        self._key: Any = None
        self._refused: ConfigurationError | None = None

    @property
    def scheme(self) -> str:
        """``WECHATPAY2-SHA256-RSA2048``"""
        return authorization.RSA_SCHEME

    async def sign(self, message: bytes) -> str:
        """The signature over ``message`` in base64.

        Raises ConfigurationError for a token, key or PIN that is not right, SignerError where the token fails.
        """
        return await self._run(lambda key: _sign(key, message))

    async def decrypt(self, ciphertext: bytes, padding: Padding = "oaep") -> bytes:
        """The plaintext of one RSA block. Raises DecryptionError, and as :meth:`sign`."""
        return await self._run(lambda key: _decrypt(key, ciphertext, padding))

    async def close(self) -> None:
        """Closes the session, and the thread."""
        if self._pid in (0, os.getpid()):
            await self._thread.run(self._forget)
        self._thread.close()

    def __repr__(self) -> str:
        return f"<Pkcs11Signer {self._named} on {self._token!r}>"

    def __reduce__(self) -> str:
        raise TypeError("a signer holds a PIN and is never pickled")

    async def _run(self, work: Callable[[Any], T]) -> T:
        if self._pid not in (0, os.getpid()):
            raise self._unfit(
                "this process was forked from one that had the token open, and PKCS#11 does not survive that: make the "
                "signer in the process that uses it (gunicorn: without `preload_app`, or in `post_fork`)"
            )
        return await self._thread.run(self._with_key, work)

    def _with_key(self, work: Callable[[Any], T]) -> T:
        """In the thread: with a session that may have been lost since the last time."""
        fresh = self._key is None
        try:
            return work(self._opened())
        except _pkcs11().exceptions.PKCS11Error as error:
            if fresh or type(error).__name__ not in _LOST:
                raise self._failed(error) from error
        self._forget()
        try:
            return work(self._opened())
        except _pkcs11().exceptions.PKCS11Error as error:
            raise self._failed(error) from error

    def _opened(self) -> Any:
        if self._refused is not None:
            raise self._refused
        if self._key is None:
            self._pid = os.getpid()
            self._session = self._open_session()
            found = self._find()
            if len(found) != 1:
                self._forget()
                if found:
                    raise self._unfit(f"several private keys are {self._named}: give the `id` of one")
                raise self._unfit(f"no private key {self._named} is on the token {self._token!r}")
            self._key = found[0]
        return self._key

    def _open_session(self) -> Any:
        pkcs11 = _pkcs11()
        errors = pkcs11.exceptions
        pin = self._pin() if callable(self._pin) else self._pin
        try:
            return pkcs11.lib(self._module).get_token(token_label=self._token).open(user_pin=pin)
        except (errors.PinIncorrect, errors.PinInvalid, errors.PinLocked, errors.PinLenRange) as error:
            # Another try would bring the token nearer to locking itself.
            self._refused = self._unfit(f"the PIN is refused ({type(error).__name__}); it is not tried again")
            raise self._refused from None
        except errors.NoSuchToken:
            raise self._unfit(f"no token is labelled {self._token!r}") from None
        except errors.MultipleTokensReturned:
            raise self._unfit(f"several tokens are labelled {self._token!r}") from None
        except (RuntimeError, OSError) as error:
            raise self._unfit(f"the module {self._module} cannot be loaded: {error}") from None

    def _find(self) -> list[Any]:
        attribute, classes = _pkcs11().Attribute, _pkcs11().ObjectClass
        wanted = {attribute.CLASS: classes.PRIVATE_KEY}
        wanted |= {attribute[name.upper()]: value for name, value in self._named.items()}
        # All of them: a search that is left half done is ended by the garbage collector, after the session.
        return list(self._session.get_objects(wanted))

    def _forget(self) -> None:
        session, self._session, self._key = self._session, None, None
        if session is not None:
            try:
                session.close()
            except _pkcs11().exceptions.PKCS11Error:
                # It was lost already, or it would not be forgotten.
                return

    def _failed(self, error: Exception) -> SignerError:
        self._forget()
        detail = f": {error}" if str(error) else ""
        return SignerError(f"PKCS#11 token {self._token!r}: {type(error).__name__}{detail}")

    def _unfit(self, message: str) -> ConfigurationError:
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
