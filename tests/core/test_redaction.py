"""Names of secret fields: those that are always masked, and those that a vocabulary adds."""

from __future__ import annotations

from wxpay_dsl.core.redaction import mask_fields, redact_data, redact_text, redact_url


def test_names_can_be_added() -> None:
    data = {"library_pin": "1234", "old_library_pin": "1", "library_pins": 3, "title": "x"}
    assert redact_data(None, data) == '{"library_pin":"1234","old_library_pin":"1","library_pins":3,"title":"x"}'
    mask_fields(["library_pin"])
    assert redact_data(None, data) == '{"library_pin":"***","old_library_pin":"***","library_pins":3,"title":"x"}'
    assert redact_url("https://a.example/x?library_pin=1234&page=2") == "https://a.example/x?library_pin=***&page=2"
    mask_fields(["library_pin"])
    assert redact_text("no route to https://a.example/x?library_pin=1&token=t") == (
        "no route to https://a.example/x?library_pin=***&token=***"
    )


def test_added_names_are_text_and_not_patterns() -> None:
    mask_fields(["a.b"])
    assert redact_data(None, {"a.b": "x", "a-b": "x", "axb": "x"}) == '{"a.b":"***","a-b":"x","axb":"x"}'
