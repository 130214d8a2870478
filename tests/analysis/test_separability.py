"""Separability against scikit-learn's own pipelines, and maps that are the same every time."""

import math

import numpy as np
import pytest
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

from ablation.analysis.separability import LAYOUT_SD, embed, initial_layout, separability, stratified_subset
from ablation.core.seeds import stream


def clusters(images: int, classes: int = 4, width: int = 12, distance: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    random = stream(0, "clusters", images, classes)
    labels = np.arange(images) % classes
    centres = random.normal(size=(classes, width)) * distance
    return (centres[labels] + random.normal(size=(images, width))).astype(np.float32), labels


def test_knn_accuracy_is_that_of_a_leave_one_out_classifier():
    features, labels = clusters(90, classes=6, distance=0.7)
    guess = cross_val_predict(KNeighborsClassifier(5), features, labels, cv=LeaveOneOut())
    measured = separability(features, labels)
    assert measured.knn_accuracy == pytest.approx((guess == labels).mean())
    assert 0.2 < measured.knn_accuracy < 0.98


def test_silhouette_is_rousseeuws():
    """Four points in one dimension, by hand: a = 1, b = 10.5 or 9.5, s = 1 - a / b."""
    features = np.array([[0.0], [1.0], [10.0], [11.0]], dtype=np.float32)
    measured = separability(features, np.array([0, 0, 1, 1]), neighbours=1)
    assert measured.silhouette == pytest.approx(1 - (1 / 10.5 + 1 / 9.5) / 2, abs=1e-6)
    assert measured.knn_accuracy == 1.0


def test_measures_fall_when_classes_overlap():
    apart, together = (separability(*clusters(200, distance=distance)) for distance in (4.0, 0.3))
    assert apart.silhouette > together.silhouette + 0.3
    assert apart.knn_accuracy > together.knn_accuracy + 0.3


def test_what_cannot_be_measured_is_nan():
    features, _ = clusters(20)
    assert math.isnan(separability(features, np.zeros(20, dtype=int)).silhouette)
    assert math.isnan(separability(features[:5], np.array([0, 1, 0, 1, 0])).knn_accuracy)


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
