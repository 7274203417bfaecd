import numpy as np

from models.building import train
from models.dataset import Example
from models.label_quality import suspects, worth_labelling
from tests.unit.models.test_building import CAUSES, URGENCIES, Material, clouds


def test_a_wrong_label_is_suspected_and_right_ones_are_not():
    own = clouds(60, seed=3)
    examples = list(own.examples)
    wrong = examples[10]
    examples[10] = Example(wrong.id, wrong.text, CAUSES[1], wrong.urgency)
    own = Material(examples, own.embeddings)
    corpus = clouds(80, seed=1)
    classifier = train(
        corpus,
        clouds(60, seed=2),
        own,
        version="t",
        encoder_hash="ab",
        causes=CAUSES,
        urgencies=URGENCIES,
    )
    [found] = suspects(classifier, corpus, own)
    assert (found.id, found.label, found.suggested) == (wrong.id, CAUSES[1], CAUSES[0])
    assert 0.5 <= found.doubt <= 1


def test_the_doubtful_mail_is_worth_more_than_the_sure_one():
    probabilities = np.array([[0.99, 0.01], [0.51, 0.49]], np.float32)
    apart = np.eye(2, dtype=np.float32)
    assert worth_labelling(probabilities, apart, np.empty((0, 2), np.float32), count=1) == [1]


def test_ten_mails_of_one_story_are_one():
    probabilities = np.full((4, 2), 0.5, np.float32)
    same, other = [1.0, 0.0], [0.0, 1.0]
    embeddings = np.array([same, same, same, other], np.float32)
    nothing = np.empty((0, 2), np.float32)
    assert set(worth_labelling(probabilities, embeddings, nothing, count=2)) == {0, 3}


def test_what_is_like_a_labelled_mail_is_worth_little():
    probabilities = np.full((2, 2), 0.5, np.float32)
    embeddings = np.eye(2, dtype=np.float32)
    assert worth_labelling(probabilities, embeddings, embeddings[:1], count=1) == [1]
    assert list(worth_labelling(probabilities, embeddings, embeddings[:1], count=9)) == [1, 0]
