"""How bash and zsh are told what to offer. What goes on (``amount.total=``, ``v3.pay.``) gets no space after it.

fish sees that by itself, and is served by the library, as PowerShell is.
"""

from __future__ import annotations

import os
from typing import ClassVar, Final

from click.shell_completion import BashComplete, CompletionItem, ZshComplete, add_completion_class, split_arg_string

__all__ = ["register"]

#: A line for each thing offered: its kind, a tab, its text, a tab, its title.
_BASH: Final = """\
%(complete_func)s() {
    local kind value title
    COMPREPLY=()
    while IFS=$'\\t' read -r kind value title; do
        case $kind in
            file) compopt -o default ;;
            dir) compopt -o dirnames ;;
            open) compopt -o nospace; COMPREPLY+=("$value") ;;
            whole) COMPREPLY+=("$value") ;;
        esac
    done < <(%(complete_var)s=bash_complete COMP_LINE="${COMP_LINE:0:COMP_POINT}" \
COMP_BREAKS="$COMP_WORDBREAKS" "$1" 2>/dev/null)
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""

_ZSH: Final = """\
#compdef %(prog_name)s
%(complete_func)s() {
    local kind value title files folders
    local -a open whole
    while IFS=$'\\t' read -r kind value title; do
        case $kind in
            (file) files=1 ;;
            (dir) folders=1 ;;
            (open) open+=("${value//:/\\\\:}${title:+:$title}") ;;
            (whole) whole+=("${value//:/\\\\:}${title:+:$title}") ;;
        esac
    done < <(%(complete_var)s=zsh_complete COMP_LINE="${(j: :)words[1,CURRENT]}" ${words[1]} 2>/dev/null)
    [[ -n $files ]] && _path_files -f
    [[ -n $folders ]] && _path_files -/
    (( ${#open} )) && _describe -V %(prog_name)s open -U -S ''
    (( ${#whole} )) && _describe -V %(prog_name)s whole -U
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""

#: After these something follows.
_OPEN: Final = ("=", ".", "/")


def register() -> None:
    """Makes the two known to the library, in the place of its own."""
    add_completion_class(_Bash)
    add_completion_class(_Zsh)


def _words() -> tuple[list[str], str]:
    """The words of the line up to the cursor, and the one that is being written."""
    line = os.environ.get("COMP_LINE", "")
    words = split_arg_string(line)
    begun = words.pop() if words and not line[-1].isspace() else ""
    return words[1:], begun


def _line(item: CompletionItem, value: str) -> str:
    kind = item.type
    if kind == "plain":
        kind = "open" if value.endswith(_OPEN) else "whole"
    title = " ".join((item.help or "").split())
    return f"{kind}\t{value}\t{title}"


class _Bash(BashComplete):
    source_template: ClassVar[str] = _BASH

    def get_completion_args(self) -> tuple[list[str], str]:
        words, self._begun = _words()
        return words, self._begun

    def format_completion(self, item: CompletionItem) -> str:
        # The shell replaces what stands after the last character that breaks words for it, `=` say; `@` and `$`, with
        # which words begin, it replaces too.
        breaks = {*os.environ.get("COMP_BREAKS", "")} - {*"@$"}
        kept = max((self._begun.rfind(character) for character in breaks), default=-1) + 1
        return _line(item, item.value[kept:])


class _Zsh(ZshComplete):
    source_template: ClassVar[str] = _ZSH

    def get_completion_args(self) -> tuple[list[str], str]:
        return _words()

    def format_completion(self, item: CompletionItem) -> str:
        return _line(item, item.value)
