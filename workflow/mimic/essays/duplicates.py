"""Clusters of essays that must stay in one role: near-duplicates and essays of one author."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_BLOCK = 512


def find_clusters(
    texts: Sequence[str], authors: Sequence[Sequence[str]], *, threshold: float
) -> np.ndarray:
    """Connected components of "near-duplicate or of one author".

    Parameters
    ----------
    texts
        The essays.
    authors
        The authors' ids of each essay; an essay without any is joined by its text alone.
    threshold
        Two essays are near-duplicates from this Jaccard similarity of their shingles on.

    Returns
    -------
    numpy.ndarray
        A cluster's number for each essay, counted from 0 in the order of first appearance.
    """
    first, second = near_duplicates(texts, threshold=threshold)
    links = list(zip(first.tolist(), second.tolist(), strict=True))
    by_author: dict[str, list[int]] = defaultdict(list)
    for essay, names in enumerate(authors):
        for name in names:
            by_author[name].append(essay)
    for essays in by_author.values():
        links.extend((essays[0], other) for other in essays[1:])

    ends = np.array(links, dtype=np.int64).reshape(-1, 2)
    graph = sparse.coo_array(
        (np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(len(texts), len(texts))
    )
    _, component = connected_components(graph, directed=False)
    _, appears, number = np.unique(component, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(appears))[number])


def near_duplicates(texts: Sequence[str], *, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """All pairs i < j of texts whose shingles' Jaccard similarity reaches `threshold`.

    A shingle is three consecutive words in lower case; similarity is the number of shingles in
    both texts over the number in either (Broder 1997). Exact, no sampling: the shared shingles of
    all pairs are a product of sparse matrices.
    """
    shingles, sizes = _shingle_matrix(texts)
    transposed = shingles.T.tocsr()
    first, second = [], []
    for start in range(0, len(texts), _BLOCK):
        shared = (shingles[start : start + _BLOCK] @ transposed).tocoo()
        rows = shared.row + start
        either = sizes[rows] + sizes[shared.col] - shared.data
        hit = (rows < shared.col) & (shared.data >= threshold * either)
        first.append(rows[hit])
        second.append(shared.col[hit])
    if not first:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    return np.concatenate(first), np.concatenate(second)


def _shingle_matrix(texts: Sequence[str]) -> tuple[sparse.csr_array, np.ndarray]:
    """One row for each text with 1 for each of its shingles, and the number of its shingles."""
    numbers: dict[str, int] = {}
    words = [
        np.array([numbers.setdefault(w, len(numbers)) for w in _WORD.findall(text.lower())], int)
        for text in texts
    ]
    base = len(numbers)  # three digits to this base: exact in 64 bits up to two million words
    codes = [np.unique((w[:-2] * base + w[1:-1]) * base + w[2:]) for w in words]
    sizes = np.array([len(c) for c in codes], dtype=np.int64)
    known, columns = np.unique(np.concatenate([*codes, np.empty(0, int)]), return_inverse=True)
    matrix = sparse.csr_array(
        (np.ones(len(columns), np.int32), columns, np.concatenate([[0], np.cumsum(sizes)])),
        shape=(len(texts), len(known)),
    )
    return matrix, sizes
