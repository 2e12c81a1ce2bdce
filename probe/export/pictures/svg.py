"""SVG elements as text. Every value is escaped here and nowhere else."""

from html import escape

Value = str | int | float


def element(name: str, *children: str, **attributes: Value) -> str:
    """Return an element; `children` are markup. `_` in a name stands for `-`, and `class_` for `class`."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_write(value)}"' for key, value in attributes.items() if value != ""
    )
    inner = "".join(children)
    return f"<{name}{written}>{inner}</{name}>" if inner else f"<{name}{written}/>"


def text(words: str) -> str:
    """Return words as markup; what XML cannot carry is replaced."""
    return escape(_printable(words), quote=False)


def percent(share: float) -> str:
    """Return a share of the width, to a hundredth of a per cent."""
    return f"{share * 100:.2f}".rstrip("0").rstrip(".") + "%"


def _write(value: Value) -> str:
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return escape(_printable(value)) if isinstance(value, str) else str(value)


def _printable(words: str) -> str:
    return "".join(c if c.isprintable() or c in "\n\t" else "�" for c in words)
