"""A domain made, and its documents changed."""

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from speaq.apps.answer import settings as domains
from speaq.apps.answer.collecting import documents_in
from speaq.apps.answer.index import MANIFEST, Index, IndexSettings
from speaq.apps.answer.searching import Search
from speaq.apps.answer.settings import AnswerSettings


def index(
    folder: Path,
    places: Iterable[Path],
    settings: IndexSettings | None = None,
    answer: AnswerSettings | None = None,
) -> tuple[int, int]:
    """Index documents under a domain's folder, which is made if it is not there.

    A document of a name that is known takes the other's place, unless it is the same. All of them
    are indexed, or none.

    Args:
        folder: of the index.
        places: files, and folders of them.
        settings: of a new index; None: the default, or those it has.
        answer: of the domain; None leaves them as they are.

    Returns: how many documents were new or changed, and the passages of the index.

    Raises:
        DataError: what `documents_in` raises, or an index with other settings.
        SettingsError: a document needs the extra `documents`.
        ModelError: the encoder of dense vectors cannot be opened.
    """
    documents = documents_in(places)
    new = not (folder / MANIFEST).is_file()
    made = Index.create(folder, settings) if settings is not None else Index(folder)
    with ExitStack() as undo:
        if new:
            # An empty index would hold the next one to settings that could not be met.
            undo.callback(made.discard)
        search = Search(made)
        known = {each.name: each.digest for each in made.documents()}
        fresh = [pair for pair in documents if known.get(pair[0].name) != pair[0].digest]
        if fresh:
            made.add(fresh, search.encoding)
        if answer is not None:
            domains.save(answer, folder)
        undo.pop_all()
    return len(fresh), made.count
