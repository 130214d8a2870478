"""Separability against scikit-learn's own pipelines, and maps that are the same every time."""

import math

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.metrics import davies_bouldin_score, silhouette_score
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

from ablation.analysis.sampling import stratified_subset
from ablation.analysis.separability import (
    LAYOUT_SD,
    embed,
    initial_layout,
    normalized,
    perplexity_of,
    separability,
)
from ablation.core.seeds import stream


def clusters(images: int, classes: int = 4, width: int = 12, distance: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    random = stream(0, "clusters", images, classes)
    labels = np.arange(images) % classes
    centres = random.normal(size=(classes, width)) * distance
    return (centres[labels] + random.normal(size=(images, width))).astype(np.float32), labels


@pytest.fixture(params=[(90, 6, 0.7, 12), (300, 7, 0.3, 64), (121, 2, 0.2, 3)], ids=str)
def case(request) -> tuple[np.ndarray, np.ndarray]:
    """Classes of unequal size in an order of their own, away from the origin."""
    images, classes, distance, width = request.param
    features, labels = clusters(images, classes, width, distance)
    kept = (labels > 0) | (np.arange(images) % 3 > 0)
    return (features + 0.7)[kept], 3 * labels[kept] + 1


def unit(features: np.ndarray) -> np.ndarray:
    wide = features.astype(np.float64)
    return wide / np.linalg.norm(wide, axis=1, keepdims=True)


def test_silhouette_and_davies_bouldin_are_scikit_learns_of_features_of_length_one(case):
    features, labels = case
    measured = separability(features, labels)
    assert measured.silhouette == pytest.approx(silhouette_score(unit(features), labels), abs=1e-5)
    assert measured.davies_bouldin == pytest.approx(davies_bouldin_score(unit(features), labels), rel=1e-5)
    assert (measured.images, measured.classes) == (len(labels), len(set(labels.tolist())))


def test_knn_accuracy_is_that_of_a_leave_one_out_classifier_by_cosine(case):
    features, labels = case
    classifier = KNeighborsClassifier(n_neighbors=20, metric="cosine")
    guess = cross_val_predict(classifier, features.astype(np.float64), labels, cv=LeaveOneOut())
    measured = separability(features, labels)
    assert measured.neighbours == 20
    assert measured.knn_accuracy == pytest.approx((guess == labels).mean())
    assert 0.2 < measured.knn_accuracy < 1


def test_ratios_and_overlap_are_those_of_plain_loops(case):
    features, labels = case
    rows, measured = unit(features), separability(features, labels)
    overall, between, within = rows.mean(axis=0), 0.0, 0.0
    for name in set(labels.tolist()):
        own = [row for row, label in zip(rows, labels, strict=True) if label == name]
        centre = sum(own) / len(own)
        between += len(own) * sum((centre - overall) ** 2)
        within += sum(sum((row - centre) ** 2) for row in own)
    assert measured.fisher_ratio == pytest.approx(between / within, rel=1e-5)
    alike, apart, overlapping = [], [], 0
    for index, row in enumerate(rows):
        others = [other for other in range(len(rows)) if other != index]
        for other in others:
            (alike if labels[other] == labels[index] else apart).append(math.dist(row, rows[other]))
        nearest = sorted(others, key=lambda other: -float(row @ rows[other]))[:20]
        overlapping += sum(labels[other] != labels[index] for other in nearest) > 10
    assert measured.distance_ratio == pytest.approx(np.mean(apart) / np.mean(alike), rel=1e-5)
    assert measured.overlap == pytest.approx(overlapping / len(rows))


def test_an_image_alone_in_its_class_counts_nothing_in_the_silhouette():
    features, labels = clusters(40)
    labels = np.where(np.arange(40) == 7, 9, labels)
    assert separability(features, labels).silhouette == pytest.approx(
        silhouette_score(unit(features), labels), abs=1e-5
    )


def test_the_length_of_features_does_not_matter():
    features, labels = clusters(60, distance=0.5)
    longer = features * np.linspace(0.1, 9, 60, dtype=np.float32)[:, None]
    one, other = separability(features, labels), separability(longer, labels)
    assert one.silhouette == pytest.approx(other.silhouette, abs=1e-5)
    assert one.knn_accuracy == other.knn_accuracy
    assert np.linalg.norm(normalized(longer), axis=1) == pytest.approx(np.ones(60), abs=1e-6)


def test_classes_that_really_separate_are_separated_better_by_every_measure():
    apart, together = (separability(*clusters(200, distance=distance)) for distance in (4.0, 0.3))
    assert apart.silhouette > together.silhouette + 0.3
    assert apart.knn_accuracy > together.knn_accuracy + 0.3
    assert apart.davies_bouldin < together.davies_bouldin - 1
    assert apart.fisher_ratio > together.fisher_ratio + 1
    assert apart.distance_ratio > together.distance_ratio + 0.5
    assert apart.overlap < together.overlap - 0.3


def test_what_cannot_be_measured_is_nan():
    features, _ = clusters(20)
    one_class = separability(features, np.zeros(20, dtype=int))
    assert math.isnan(one_class.silhouette)
    assert math.isnan(separability(features, np.arange(20)).overlap)
    wild = features.copy()
    wild[3, 2] = np.inf
    assert math.isnan(separability(wild, np.arange(20) % 2).knn_accuracy)


@pytest.mark.parametrize("features", [np.zeros((30, 5)), np.ones((30, 5))])
def test_features_that_are_all_alike_separate_nothing(features):
    measured = separability(features.astype(np.float32), np.arange(30) % 3)
    assert measured.silhouette == pytest.approx(0, abs=1e-3)
    assert math.isnan(measured.davies_bouldin)
    assert math.isnan(measured.fisher_ratio)
    assert math.isnan(measured.distance_ratio)


def test_few_images_have_fewer_neighbours():
    features, labels = clusters(9, classes=2)
    assert separability(features, labels).neighbours == 4
    assert separability(*clusters(41)).neighbours == 20


def test_subset_keeps_shares_and_is_the_same_every_time():
    labels = np.repeat([0, 1, 2], [500, 300, 101])
    picks = stratified_subset(labels, 90)
    assert len(picks) == len(set(picks.tolist())) == 90
    assert np.bincount(labels[picks]).tolist() == [50, 30, 10], "the shares are 49.94, 29.97 and 10.09"
    np.testing.assert_array_equal(picks, stratified_subset(labels, 90))
    np.testing.assert_array_equal(stratified_subset(labels, 901), np.arange(901))


def test_initial_layout_spreads_along_the_widest_direction():
    random = stream(0, "layout")
    features = random.normal(size=(50, 8)) * np.array([1, 1, 9, 1, 1, 1, 1, 1])
    layout = initial_layout(features.astype(np.float32))
    assert layout.shape == (50, 2)
    assert layout[:, 0].std() == pytest.approx(LAYOUT_SD)
    assert abs(np.corrcoef(layout[:, 0], features[:, 2])[0, 1]) > 0.99


def test_features_that_are_all_alike_still_get_a_layout_and_a_map():
    features = np.ones((12, 5), dtype=np.float32)
    layout = initial_layout(features)
    assert len(np.unique(layout, axis=0)) == 12
    assert np.isfinite(embed(features, layout).points).all()


def test_a_map_shows_the_clusters_repeats_bit_for_bit_and_depends_on_its_start():
    features, labels = clusters(80, distance=6.0)
    layout = initial_layout(features)
    first, again = embed(features, layout), embed(features, layout)
    np.testing.assert_array_equal(first.points, again.points)
    assert first.trustworthiness > 0.9
    assert separability(first.points.astype(np.float32), labels).knn_accuracy > 0.95
    turned = embed(features, layout[:, ::-1].copy())
    assert not np.allclose(first.points, turned.points)


def test_a_map_of_noise_is_trusted_less():
    """Trustworthiness is about neighbours: white noise in 500 dimensions has none that a map could keep."""
    noise = stream(0, "noise").normal(size=(60, 500)).astype(np.float32)
    features, _ = clusters(60, width=2)
    of_noise, of_a_plane = (embed(points, initial_layout(points)).trustworthiness for points in (noise, features))
    assert of_noise < of_a_plane - 0.05


@pytest.mark.parametrize("images", [4, 7, 25])
def test_few_images_are_enough(images):
    features, _ = clusters(images)
    made = embed(features, initial_layout(features))
    assert made.points.shape == (images, 2)
    assert made.perplexity <= (images - 1) / 3
    assert made.neighbours < images / 2


def test_wide_features_are_reduced_to_fifty_components_first():
    features, _ = clusters(80, width=300)
    layout = initial_layout(features)
    reduced = PCA(50, svd_solver="full").fit_transform(features.astype(np.float64)).astype(np.float32)
    np.testing.assert_array_equal(embed(features, layout).points, embed(reduced, layout).points)


def test_perplexity_falls_with_few_images():
    assert [perplexity_of(images) for images in (13, 90, 91, 600)] == [4, pytest.approx(89 / 3), 30, 30]
