"""Cuts a line of an `.ovpn` file into its words as OpenVPN does.

Source: openvpn-manual, "Quoting rules", and the behaviour of 2.6: a quote opens at the start of a word only, so that
`Bob's` is a word; `#` and `;` begin a comment there. Deviation: any other
backslash stays, and is no error.
"""

_ESCAPED = '\\" \t'


def split_words(line: str, number: int) -> list[str]:
    """Return the words of a line; a comment is none.

    Raises:
        ValueError: a quote is not closed; it names the line.
    """
    words: list[str] = []
    at = 0
    while at < len(line):
        if line[at].isspace():
            at += 1
            continue
        if line[at] in "#;":
            break
        quote = line[at] if line[at] in "\"'" else ""
        word, at = _take_word(line, at + len(quote), quote)
        if at < 0:
            raise ValueError(f"line {number}: a quote is not closed")
        words.append(word)
    return words


def _take_word(line: str, at: int, quote: str) -> tuple[str, int]:
    """Return a word and where the line goes on; -1 = its quote is not closed."""
    taken: list[str] = []
    while at < len(line):
        letter = line[at]
        if letter == quote or (not quote and letter.isspace()):
            return "".join(taken), at + 1
        if letter == "\\" and quote != "'" and line[at + 1 : at + 2] and line[at + 1] in _ESCAPED:
            at += 1
            letter = line[at]
        taken.append(letter)
        at += 1
    return "".join(taken), -1 if quote else at
