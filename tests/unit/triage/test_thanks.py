import pytest

from triage.thanks import is_mere_thanks

THANKS = [
    "Dziękuję!",
    "dziekuje bardzo",
    "Dziękuję, sprawa załatwiona.",
    "Dzień dobry,\n\nbardzo dziękuję za szybką odpowiedź i pomoc.\n\nPozdrawiam\nAnna Nowak",
    "ok, dzięki :)",
    "Dziękuję 😊",
    "Thank you very much for your quick help!\nKind regards\nJane",
    "Vielen Dank für die schnelle Hilfe!\nViele Grüße\nHans",
    "Děkuji, hezký den\nJana",
    "Дякую за допомогу!",
]
MORE = [
    "",
    "Pozdrawiam",
    "Dziękuję, ale paczka nadal nie doszła.",
    "Dziękuję. Proszę o zwrot.",
    "Dzięki, czekam na zwrot pieniędzy",
    "Dziękuję za zniszczoną paczkę",
    "Dziękuję, a kiedy?",
    "Dziękuję, 100234",
    "Thanks for nothing",
    "Danke, aber das Paket fehlt noch",
    "Děkuji, zboží je ale rozbité",
    "Дякую, але посилка розбита",
    "dziękuję " * 100,
]


@pytest.mark.parametrize("text", THANKS)
def test_thanks_and_nothing_else(text):
    assert is_mere_thanks(text)


@pytest.mark.parametrize("text", MORE)
def test_whoever_wants_something_is_heard(text):
    assert not is_mere_thanks(text)
