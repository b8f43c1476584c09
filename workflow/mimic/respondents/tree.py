"""The tokens that several questions need after their shared prefix, as one tree.

Questions whose endings begin alike, and options that begin alike, share tokens; each is computed
once. A tree is laid out as one sequence in which a token sees its ancestors alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

Tokens = tuple[int, ...]


@dataclass(frozen=True)
class Question:
    """One prompt in segments, and the token sequences that count as each option.

    Attributes
    ----------
    form, about, ending
        Token ids; their concatenation is the prompt. Questions that share the first two are
        answered together. The ending has at least one token.
    options
        For each option its variants (as it is and with a capital), each a token sequence.
    name
        What it is called in messages.
    """

    form: Tokens
    about: Tokens
    ending: Tokens
    options: tuple[tuple[Tokens, ...], ...]
    name: str = field(default="", compare=False)

    @property
    def prompt(self) -> Tokens:
        """All token ids."""
        return self.form + self.about + self.ending


@dataclass
class TokenTree:
    """Tokens with their ancestors.

    Attributes
    ----------
    tokens
        Token id of each node; a node stands after its ancestors.
    paths
        For each node the nodes from the first token of its question to itself.
    rows
        For each question its nodes: those of its ending, then those of its options.
    starts
        For each question the first node that it added itself; it added all up to the next start.
    """

    tokens: list[int] = field(default_factory=list)
    paths: list[tuple[int, ...]] = field(default_factory=list)
    rows: list[list[int]] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    _children: dict[tuple[int, int], int] = field(default_factory=dict)

    def add(self, tokens: Sequence[int], *, below: int = -1) -> int:
        """Add a chain of tokens below a node (-1: at the top) and return its last node."""
        for token in tokens:
            node = self._children.get((below, token))
            if node is None:
                node = len(self.tokens)
                self._children[below, token] = node
                self.tokens.append(token)
                self.paths.append((*(self.paths[below] if below >= 0 else ()), node))
            below = node
        return below


def steps_of(tree: TokenTree, question: Question) -> list[list[list[tuple[int, int]]]]:
    """Add a question to a tree; for each option and variant its steps.

    A step is the node after which a token of the variant is read, and that token: the probability
    of the variant is the product over its steps.
    """
    tree.starts.append(len(tree.tokens))
    end = tree.add(question.ending)
    row = list(tree.paths[end])
    options = []
    for variants in question.options:
        read = []
        for tokens in variants:
            nodes = [end]
            for token in tokens[:-1]:
                nodes.append(tree.add([token], below=nodes[-1]))
                if nodes[-1] not in row:
                    row.append(nodes[-1])
            read.append(list(zip(nodes, tokens, strict=True)))
        options.append(read)
    tree.rows.append(row)
    return options


def common_length(first: Sequence[int], second: Sequence[int]) -> int:
    """Number of leading tokens that two sequences share."""
    length = 0
    for a, b in zip(first, second, strict=False):
        if a != b:
            break
        length += 1
    return length
