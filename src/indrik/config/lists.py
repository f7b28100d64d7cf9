"""Kinds of values with parts: lists of texts, words between commas, networks, tables, counts of proxies."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from indrik.config.kinds import Kind, RejectedValue
from indrik.config.nearest import did_you_mean


class TextList(Kind):
    """Several strings, kept in order; one plain string is a list of one. The flag can be given repeatedly."""

    label = "list of texts"

    def parse(self, value: Any) -> list[str]:
        if not value:
            return []
        if isinstance(value, str):
            value = [value]
        if not isinstance(value, list | tuple | set | frozenset):
            raise RejectedValue(f"must be a list of texts, not {type(value).__name__}")
        items = []
        for item in value:
            if not isinstance(item, str):
                raise RejectedValue(f"must be a list of texts, but holds {item!r}")
            items.append(self.parse_item(item.strip()))
        return items

    def parse_item(self, item: str) -> str:
        return item

    def schema(self) -> dict[str, Any]:
        return {"type": ["array", "string"], "items": {"type": "string"}}

    def argument(self) -> dict[str, Any]:
        return {"action": "append", "type": str}


class Assignments(TextList):
    """Several KEY=VALUE texts."""

    label = "list of KEY=VALUE"

    def parse_item(self, item: str) -> str:
        if not item.partition("=")[1] or item.startswith("="):
            raise RejectedValue(f"{item!r} must have the form KEY=VALUE")
        return item


class FileRoots(TextList):
    """Directories, each with the prefix of a URI in front if one stands for it."""

    label = "list of absolute paths, or of PREFIX=PATH with a PREFIX that begins with /"

    def parse_item(self, item: str) -> str:
        prefix, equals, path = item.partition("=")
        if not equals:
            path = item
        elif not prefix.startswith("/"):
            raise RejectedValue(f"{item!r}: the prefix in front of = must begin with /")
        if not path.startswith("/"):
            raise RejectedValue(f"{item!r} must be an absolute path")
        return item


class StaticDirectories(Kind):
    """The word `auto`, or the directory of files behind each prefix of a path."""

    label = "`auto`, or a table (dict) of URL prefixes that begin with / and their directories"

    def parse(self, value: Any) -> str | dict[str, str] | None:
        if isinstance(value, str):
            value = [value]
        if isinstance(value, list | tuple):
            # The command line's, where it can be given repeatedly.
            words = [str(item).strip() for item in value]
            if any(word.lower() == "auto" for word in words):
                if len(words) > 1:
                    raise RejectedValue("auto cannot be given together with directories")
                return "auto"
            pairs = [self.split(word) for word in words if word]
        elif value is None:
            return None
        elif isinstance(value, Mapping):
            pairs = list(value.items())
        else:
            raise RejectedValue(f"must be {self.label}, not {type(value).__name__}")
        directories: dict[str, str] = {}
        for key, item in pairs:
            prefix = self.parse_prefix(key)
            if prefix in directories:
                raise RejectedValue(f"the prefix {prefix!r} is given twice")
            directories[prefix] = self.parse_directory(item)
        return directories or None

    def split(self, word: str) -> tuple[Any, Any]:
        prefix, equals, path = word.partition("=")
        if not equals:
            raise RejectedValue(f"{word!r} must be auto or have the form PREFIX=DIR")
        return prefix, path

    def parse_prefix(self, prefix: Any) -> str:
        plain = prefix.rstrip("/") if isinstance(prefix, str) else ""
        if prefix != "/" and (not plain.startswith("/") or "//" in plain or "%" in plain):
            raise RejectedValue(f"the prefix {prefix!r} must begin with / and be free of // and %")
        return plain or "/"

    def parse_directory(self, path: Any) -> str:
        if not isinstance(path, str) or not path.strip():
            raise RejectedValue(f"a directory must be the text of a path, not {path!r}")
        return path.strip()

    def schema(self) -> dict[str, Any]:
        table = {"type": "object", "additionalProperties": {"type": "string"}}
        return {"anyOf": [{"const": "auto"}, table]}

    def argument(self) -> dict[str, Any]:
        return {"action": "append", "type": str}


class Words(Kind):
    """Words between commas in one text, or a list of words."""

    label = "words between commas, or a list"

    def parse(self, value: Any) -> list[str]:
        if not value:
            return []
        if isinstance(value, str):
            value = value.split(",")
        if not isinstance(value, list | tuple) or not all(isinstance(word, str) for word in value):
            raise RejectedValue("must be words between commas, or a list of them")
        return [self.parse_word(word.strip()) for word in value if word.strip()]

    def parse_word(self, word: str) -> str:
        return word

    def schema(self) -> dict[str, Any]:
        return {"type": ["string", "array"], "items": {"type": "string"}}


@dataclass(frozen=True, eq=False)
class WordsOf(Words):
    """Words between commas, each one of a few; at least one, none twice."""

    words: tuple[str, ...]

    @property
    def label(self) -> str:  # type: ignore[override]
        return "words between commas, each one of " + ", ".join(self.words)

    def parse(self, value: Any) -> list[str]:
        words = super().parse(value)
        if not words or len(set(words)) != len(words):
            raise RejectedValue(f"must be {self.label}, none twice")
        return words

    def parse_word(self, word: str) -> str:
        word = word.lower()
        if word not in self.words:
            hint = did_you_mean(word, self.words)
            raise RejectedValue(f"{word!r} is not one of {', '.join(self.words)}{hint}")
        return word


class Networks(Words):
    """IP addresses and networks; `*` means everyone. A network with host bits set is refused."""

    label = "IP addresses or networks between commas; * for everyone"

    def parse_word(self, word: str) -> str:
        if word != "*":
            try:
                ipaddress.ip_network(word)
            except ValueError as error:
                raise RejectedValue(f"{error} (an IP address, a network such as 10.0.0.0/8, or *)") from None
        return word


class Table(Kind):
    """A dict, copied so that a shared default never changes."""

    label = "table (dict)"

    def parse(self, value: Any) -> dict[Any, Any]:
        if not isinstance(value, Mapping):
            raise RejectedValue(f"must be a dict, not {type(value).__name__}")
        return dict(value)

    def schema(self) -> dict[str, Any]:
        return {"type": "object"}


class HopCounts(Kind):
    """How many proxies write each part of what they say of the client, and in which header field."""

    label = "table (dict) of for, proto, host, port, prefix (whole numbers), field (X-Forwarded or Forwarded)"
    parts = ("for", "proto", "host", "port", "prefix")
    fields = ("X-Forwarded", "Forwarded")

    def parse(self, value: Any) -> dict[str, int | str] | None:
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise RejectedValue(f"must be a dict, not {type(value).__name__}")
        parsed: dict[str, int | str] = {}
        for key, item in value.items():
            if key == "field":
                parsed[key] = self.parse_field(item)
            elif key not in self.parts:
                hint = did_you_mean(str(key), (*self.parts, "field"))
                raise RejectedValue(f"{key!r} is not one of {', '.join(self.parts)}, field{hint}")
            elif isinstance(item, bool) or not isinstance(item, int) or item < 0:
                raise RejectedValue(f"{key!r} must be a number of proxies, not {item!r}")
            else:
                parsed[key] = item
        if not any(parsed.get(part) for part in self.parts):
            raise RejectedValue(f"must count at least one proxy for one of {', '.join(self.parts)}")
        return parsed

    def parse_field(self, item: Any) -> str:
        for field in self.fields:
            if isinstance(item, str) and item.strip().lower() == field.lower():
                return field
        raise RejectedValue(f"'field' must be {' or '.join(self.fields)}, not {item!r}")

    def schema(self) -> dict[str, Any]:
        counts: dict[str, Any] = {part: {"type": "integer", "minimum": 0} for part in self.parts}
        return {
            "type": "object",
            "properties": {**counts, "field": {"enum": list(self.fields)}},
            "additionalProperties": False,
        }


class Patching(Kind):
    """Whether and what gevent replaces in the standard library: its `patch_all`, with these arguments."""

    label = "true, false, or a table (dict) of arguments of gevent.monkey.patch_all that are true or false"
    arguments = (
        "socket", "dns", "time", "select", "thread", "os", "ssl", "subprocess", "sys", "aggressive", "Event",
        "builtins", "signal", "queue", "contextvars",
    )  # fmt: skip
    words: ClassVar[dict[str, bool]] = {"yes": True, "true": True, "no": False, "false": False}

    def parse(self, value: Any) -> bool | dict[str, bool]:
        if isinstance(value, bool):
            return value
        if isinstance(value, str):
            word = value.strip().lower()
            if word not in self.words:
                raise RejectedValue(f"must be one of {', '.join(self.words)}{did_you_mean(word, self.words)}")
            return self.words[word]
        if not isinstance(value, Mapping):
            raise RejectedValue(f"must be true, false or a dict, not {type(value).__name__}")
        for key, item in value.items():
            if key not in self.arguments:
                hint = did_you_mean(str(key), self.arguments)
                raise RejectedValue(f"{key!r} is no argument of gevent.monkey.patch_all{hint}")
            if not isinstance(item, bool):
                raise RejectedValue(f"{key!r} must be true or false, not {item!r}")
        return dict(value)

    def schema(self) -> dict[str, Any]:
        flags = {name: {"type": "boolean"} for name in self.arguments}
        table = {"type": "object", "properties": flags, "additionalProperties": False}
        return {"anyOf": [{"type": "boolean"}, table]}
