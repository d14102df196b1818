"""Completion scripts for bash and zsh that add no space after an unfinished word (``amount.total=``, ``v3.pay.``).

fish does so by itself, and uses click's own script, as PowerShell does.
"""

from __future__ import annotations

import os
from typing import ClassVar, Final

from click.shell_completion import BashComplete, CompletionItem, ZshComplete, add_completion_class, split_arg_string

__all__ = ["register"]

#: One line an item: its kind, a tab, its text, a tab, its title.
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

#: Ends of a word that is unfinished.
_OPEN: Final = ("=", ".", "/")


def register() -> None:
    """Replaces click's completion of bash and zsh by ours."""
    add_completion_class(_Bash)
    add_completion_class(_Zsh)


def _words() -> tuple[list[str], str]:
    """The complete words before the cursor, without the program's name, and the word under the cursor."""
    line = os.environ.get("COMP_LINE", "")
    words = split_arg_string(line)
    current = words.pop() if words and not line[-1].isspace() else ""
    return words[1:], current


def _line(item: CompletionItem, value: str) -> str:
    kind = item.type
    if kind == "plain":
        kind = "open" if value.endswith(_OPEN) else "whole"
    title = " ".join((item.help or "").split())
    return f"{kind}\t{value}\t{title}"


class _Bash(BashComplete):
    source_template: ClassVar[str] = _BASH

    def get_completion_args(self) -> tuple[list[str], str]:
        words, self._current = _words()
        return words, self._current

    def format_completion(self, item: CompletionItem) -> str:
        # bash replaces only the text after the last character of COMP_WORDBREAKS, such as `=`; but a leading `@` or `$`
        # is replaced as well.
        breaks = {*os.environ.get("COMP_BREAKS", "")} - {*"@$"}
        kept = max((self._current.rfind(character) for character in breaks), default=-1) + 1
        return _line(item, item.value[kept:])


class _Zsh(ZshComplete):
    source_template: ClassVar[str] = _ZSH

    def get_completion_args(self) -> tuple[list[str], str]:
        return _words()

    def format_completion(self, item: CompletionItem) -> str:
        return _line(item, item.value)
