import itertools
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import roc_auc_score

from mimic.judge.classifier import (
    Corpus,
    assign_folds,
    deletion_probabilities,
    nested_probabilities,
    platt,
    train_classifier,
)
from mimic.judge.features import (
    count_terms,
    embed,
    embedder_folder,
    inverse_document_frequency,
    weigh_terms,
)
from mimic.judge.figure import auc, majority_accuracy, mean_accuracy, reading_figure
from mimic.judge.saved import load_judge, make_judge, save_judge
from mimic.judge.settings import JudgeSettings
from mimic.traits import ALL_PROFILES, TRAITS, design_matrix

WORDS = [f"{a}{b}" for a, b in itertools.product("bdfgklmn", ("ane", "ilo", "ure", "ota", "em"))]
SIGNALS = ["river", "timetable", "party", "gift", "thunder"]
TFIDF = JudgeSettings(features=("tfidf",), c_values=(1.0, 100.0))


def noise_texts(count: int, rng: np.random.Generator, words: int = 40) -> list[str]:
    return [" ".join(rng.choice(WORDS, words)) for _ in range(count)]


def planted(count: int = 64, seed: int = 0) -> tuple[list[str], Corpus]:
    """Texts of noise; those high in a trait hold that trait's word three times."""
    rng = np.random.default_rng(seed)
    high = np.tile(design_matrix(ALL_PROFILES) > 0, (count // 32 + 1, 1))[:count]
    texts = [
        " ".join(
            [text, *(word for word, on in zip(SIGNALS, row, strict=True) for _ in "123" if on)]
        )
        for text, row in zip(noise_texts(count, rng), high, strict=True)
    ]
    return texts, Corpus({"tfidf": count_terms(texts)[0]}, high, np.arange(count))


def embeddings(count: int, rng: np.random.Generator, width: int = 20) -> Corpus:
    """Embeddings that say nothing about the labels."""
    vectors = rng.normal(size=(count, width))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Corpus({"minilm": vectors}, rng.random((count, 5)) < 0.5, np.arange(count))


def test_planted_signal_is_found():
    _, corpus = planted()
    probabilities, folds = nested_probabilities(corpus, TFIDF)
    figure = reading_figure(
        high=corpus.high, probabilities=probabilities, clusters=corpus.clusters, folds=folds, seed=1
    )
    assert all(figure["auc"][trait]["value"] > 0.95 for trait in TRAITS)
    assert figure["mean_accuracy"]["value"] > 0.9


@pytest.mark.slow
def test_random_labels_are_at_chance_under_nesting_though_not_for_the_winner():
    settings = JudgeSettings(features=("minilm",), c_values=(0.1, 100.0), folds=4)
    nested, areas, winners = [], [], []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        corpus = embeddings(32, rng)
        # As many high as low ones: otherwise a judge without signal rightly answers the majority.
        high = np.array([rng.permutation(32) < 16 for _ in TRAITS]).T
        corpus = Corpus(corpus.features, high, corpus.clusters)
        probabilities, folds = nested_probabilities(corpus, settings)
        nested.append(np.mean((probabilities >= 0.5) == high))
        areas += [auc(high[:, t], probabilities[:, t], folds).value for t in range(5)]
        selection = train_classifier(corpus, settings).selection
        winners.append(max(candidate.mean_accuracy for candidate in selection))
    # 8 x 32 x 5 decisions have a standard error of 0.014; the 40 AUC one of about 0.02.
    assert abs(np.mean(nested) - 0.5) < 0.04
    assert abs(np.mean(areas) - 0.5) < 0.06
    assert np.mean(winners) > np.mean(nested)


def test_duplicates_in_one_cluster_do_not_leak():
    rng = np.random.default_rng(3)
    texts = noise_texts(40, rng) * 2
    high = np.tile(rng.random((40, 5)) < 0.5, (2, 1))
    counts = count_terms(texts)[0]
    accuracy = {}
    for name, clusters in (("apart", np.arange(80)), ("together", np.tile(np.arange(40), 2))):
        corpus = Corpus({"tfidf": counts}, high, clusters)
        probabilities, folds = nested_probabilities(corpus, TFIDF)
        accuracy[name] = np.mean((probabilities >= 0.5) == high)
        for cluster in np.unique(clusters):
            assert len(set(folds[clusters == cluster])) == 1
    assert accuracy["apart"] > 0.75
    assert accuracy["together"] < 0.6


def test_folds_balance_levels_and_become_fewer_for_a_rare_level():
    high = np.tile(design_matrix(ALL_PROFILES) > 0, (5, 1))
    corpus = Corpus({}, high, np.arange(len(high)))
    folds = assign_folds(corpus, TFIDF)
    assert set(folds) == set(range(5))
    shares = [high[folds == fold].mean(axis=0) for fold in range(5)]
    assert np.abs(np.array(shares) - 0.5).max() < 0.1

    rare = high[:32].copy()
    rare[:, 4] = np.arange(32) < 3
    folds = assign_folds(Corpus({}, rare, np.arange(32)), TFIDF)
    assert set(folds) == {0, 1, 2}
    assert all(rare[folds == fold, 4].sum() == 1 for fold in range(3))


def test_held_out_essays_do_not_change_the_weights_of_their_fold():
    texts, corpus = planted()
    rest = np.arange(10, len(texts))
    once = train_classifier(corpus.rows(rest), TFIDF).probabilities(corpus.features["tfidf"][:10])
    counts, _ = count_terms(texts[10:])
    alone = train_classifier(
        Corpus({"tfidf": counts}, corpus.high[rest], corpus.clusters[rest]), TFIDF
    )
    seen, _ = count_terms(texts[:10], count_terms(texts[10:])[1])
    np.testing.assert_allclose(once, alone.probabilities(seen), atol=1e-4)


@pytest.mark.parametrize("clusters_of_low", [0, 1])
def test_too_few_clusters_of_a_level_are_an_error(clusters_of_low: int):
    _, corpus = planted()
    high = corpus.high.copy()
    high[:, 2] = True
    high[:2, 2] = clusters_of_low == 0
    clusters = np.r_[7, 7, corpus.clusters[2:] + 10]
    with pytest.raises(ValueError, match=f"{clusters_of_low} cluster.*low extraversion"):
        nested_probabilities(Corpus(corpus.features, high, clusters), TFIDF)


def test_a_training_part_without_a_level_answers_with_the_other():
    _, corpus = planted(32)
    high = corpus.high.copy()
    high[:, 0] = True
    classifier = train_classifier(Corpus(corpus.features, high, corpus.clusters), TFIDF)
    probability = classifier.probabilities(corpus.features["tfidf"])[:, 0]
    np.testing.assert_allclose(probability, 33 / 34)


def test_term_weights_are_those_of_scikit_learn():
    rng = np.random.default_rng(5)
    texts = noise_texts(20, rng, words=15)
    counts, terms = count_terms(texts)
    ours = weigh_terms(counts, inverse_document_frequency(counts))
    reference = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    theirs = reference.fit_transform(texts).toarray()
    columns = [terms.index(term) for term in reference.get_feature_names_out()]
    np.testing.assert_allclose(ours[:, columns].toarray(), theirs)
    assert ours.nnz == np.count_nonzero(theirs)


def test_curly_and_straight_apostrophes_are_one_word():
    _, terms = count_terms(["I don't", "I don’t"])
    assert terms == ("don't", "i", "i don't")


def test_essays_without_a_common_word_are_an_error():
    counts, _ = count_terms(["one two", "three four"])
    with pytest.raises(ValueError, match="no word in common"):
        inverse_document_frequency(counts)


@pytest.mark.parametrize("kind", ["tfidf", "minilm"])
def test_a_saved_judge_gives_the_same_probabilities_and_bytes(tmp_path: Path, kind: str):
    texts, corpus = planted()
    _, terms = count_terms(texts)
    if kind == "minilm":
        corpus = embeddings(64, np.random.default_rng(1))
        terms = ()
    settings = JudgeSettings(features=(kind,), c_values=(10.0,))  # type: ignore[arg-type]
    classifier = train_classifier(corpus, settings)
    judge = make_judge(classifier, terms=terms, masked=True, embedder_sha256="ab")
    before = classifier.probabilities(corpus.features[kind])  # type: ignore[index]
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        save_judge(judge, tmp_path / name)
    for file in ("judge.npz", "judge.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    loaded = load_judge(tmp_path / "a")
    if kind == "tfidf":
        after = loaded.read(texts, embedder=None, threads=1)
        assert 0 < len(loaded.terms) < len(terms)
    else:
        after = loaded.classifier.probabilities(corpus.features["minilm"])
        with pytest.raises(ValueError, match="embedder"):
            loaded.read(texts, embedder=None, threads=1)
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-12)


def test_a_judge_of_another_version_is_refused(tmp_path: Path):
    (tmp_path / "judge.json").write_text('{"version": 0}')
    with pytest.raises(ValueError, match="version 0"):
        load_judge(tmp_path)


def test_auc_agrees_with_scikit_learn_and_compares_within_folds():
    rng = np.random.default_rng(0)
    high, scores = rng.random(40) < 0.4, rng.normal(size=40).round(1)
    single = auc(high, scores, np.zeros(40, dtype=int))
    assert single.value == pytest.approx(roc_auc_score(high, scores))
    folds = np.arange(40) % 2
    # A shift between folds is no evidence and must not change the AUC.
    assert auc(high, scores + 100 * folds, folds) == auc(high, scores, folds)
    assert auc(np.ones(4, dtype=bool), scores[:4], folds[:4]).value is None


def test_auc_interval_is_symmetric_proper_at_one_and_covers():
    high = np.arange(20) % 2 == 0
    one_fold = np.zeros(20, dtype=int)
    perfect = auc(high, high.astype(float), one_fold)
    assert perfect.value == perfect.high == 1.0
    assert perfect.low is not None and 0.6 < perfect.low < 0.95
    worst = auc(high, -high.astype(float), one_fold)
    assert worst.high == pytest.approx(1 - perfect.low)

    rng = np.random.default_rng(1)
    truth, covered = 0.7602, 0  # Φ(1/√2): normal scores one standard deviation apart
    for _ in range(500):
        scores = rng.normal(size=60) + (np.arange(60) % 2)
        found = auc(np.arange(60) % 2 == 1, scores, np.zeros(60, dtype=int))
        assert found.low is not None and found.high is not None
        covered += found.low <= truth <= found.high
    assert 0.92 <= covered / 500 <= 0.98


def test_auc_interval_is_wider_where_folds_leave_fewer_pairs():
    high, scores = np.arange(40) % 2 == 0, np.r_[np.arange(20), np.arange(20)] + 0.0
    whole = auc(high, scores, np.zeros(40, dtype=int))
    split = auc(high, scores, np.repeat(np.arange(5), 8))
    assert split.high - split.low > whole.high - whole.low  # type: ignore[operator]


def test_mean_accuracy_interval_grows_with_clusters():
    rng = np.random.default_rng(2)
    hits = np.repeat(rng.random((20, 5)) < 0.6, 4, axis=0)
    alone = mean_accuracy(hits, np.arange(80), seed=1)
    grouped = mean_accuracy(hits, np.repeat(np.arange(20), 4), seed=1)
    assert grouped.value == alone.value == hits.mean()
    assert grouped.high - grouped.low > 1.5 * (alone.high - alone.low)  # type: ignore[operator]


def test_mean_accuracy_interval_of_few_clusters_covers():
    # 16 clusters of two essays that are alike: the share right of a cluster varies.
    rng = np.random.default_rng(6)
    covered = 0
    for _ in range(300):
        skill = rng.beta(6, 4, size=(16, 1, 1))
        hits = (rng.random((16, 2, 5)) < skill).reshape(32, 5)
        found = mean_accuracy(hits, np.repeat(np.arange(16), 2), seed=1)
        covered += found.low <= 0.6 <= found.high  # type: ignore[operator]
    assert 0.92 <= covered / 300 <= 0.98


def test_a_judge_that_is_always_right_has_an_interval_of_its_clusters():
    found = mean_accuracy(np.ones((32, 5), dtype=bool), np.repeat(np.arange(16), 2), seed=1)
    assert (found.value, found.interval) == (1.0, "wilson of 16 clusters")
    # Wilson's lower bound of 16 hits of 16: n / (n + z²).
    assert found.low == pytest.approx(16 / (16 + 1.959964**2))


def test_the_majority_label_of_one_role_is_guessed_in_another():
    learned = np.zeros((10, 5), dtype=bool)
    learned[:6, 0], learned[:5, 1] = True, True
    read = np.zeros((4, 5), dtype=bool)
    read[0, :2] = True
    said = majority_accuracy(learned, read)
    assert list(said) == list(TRAITS)
    assert list(said.values()) == [0.25, 0.25, 1, 1, 1]
    assert majority_accuracy(learned, learned)["openness"] == 0.6


def test_platt_recovers_a_slope_and_never_turns_a_judge_round():
    rng = np.random.default_rng(4)
    scores = rng.normal(size=4000)
    high = rng.random(4000) < 1 / (1 + np.exp(-(2.0 * scores - 0.5)))
    slope, offset = platt(scores / 10, high)
    assert slope / 10 == pytest.approx(2.0, rel=0.1)
    assert offset == pytest.approx(-0.5, abs=0.15)
    assert platt(-scores, high) == (1.0, 0.0)
    assert platt(np.zeros(10), high[:10]) == (1.0, 0.0)


def test_only_a_large_training_set_is_calibrated():
    assert not any(train_classifier(planted(64)[1], TFIDF).calibrated)
    assert all(train_classifier(planted(224)[1], TFIDF).calibrated)


def test_deletion_control_finds_a_count_that_tells_the_trait():
    rng = np.random.default_rng(6)
    high = rng.random((60, 5)) < 0.5
    folds = np.arange(60) % 5
    deleted = np.where(high[:, 3], 8, 2) + rng.integers(3, size=60)
    right = (deletion_probabilities(deleted, high, folds) >= 0.5) == high
    assert right[:, 3].all()
    assert right[:, [0, 1, 2, 4]].mean() < 0.65


def test_embeddings_keep_order_and_do_not_depend_on_the_batch():
    folder = embedder_folder()
    texts = ["The train was late.", "", "A dog sleeps in the sun. " * 90, "We sang all night long."]
    together = embed(texts, folder=folder, threads=1)
    assert together.shape == (4, 384)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    alone = np.vstack([embed([text], folder=folder, threads=1) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    # The end of a text of 630 tokens counts: it would not if the tokenizer cut at 128 or 512.
    ending = embed([texts[2] + "My taxes are a mess."], folder=folder, threads=1)
    assert np.abs(ending - together[2]).max() > 1e-3
    near, far = embed(["My train was delayed.", "A cake with nuts."], folder=folder, threads=1)
    assert together[0] @ near > together[0] @ far + 0.3


def test_a_folder_without_a_model_is_an_error(tmp_path: Path):
    with pytest.raises(ValueError, match="no model.safetensors"):
        embed(["x"], folder=tmp_path, threads=1)


def test_counts_are_sparse():
    assert isinstance(count_terms(["a b", "b c"])[0], csr_matrix)
