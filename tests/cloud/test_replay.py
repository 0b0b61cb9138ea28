"""The ingest, fed from a capture."""

from cloud.ingest import Ingest
from cloud.replay import IngestHandler
from shared import topics
from shared.replay import replay
from tests.tap.messages import EPOCH, message, sales
from tests.world.model import Database, NoArchive

S = 10**9
CAPTURE = [
    sales("m1", 1, 2, t_ns=1 * S),
    message("vend/v1/m1/prices", b"{}", t_ns=1 * S),  # the cloud's own word: it never hears it
    message("other/topic", b"x", t_ns=1 * S),
    sales("m1", 3, t_ns=1 * S + 1),
    sales("m1", 1, t_ns=9 * S),  # sent again
]


def test_a_capture_is_stored_and_confirmed() -> None:
    database = Database()
    answers = replay(CAPTURE, IngestHandler(Ingest(NoArchive(), database, database)))
    assert database.sales() == [150, 150, 150]
    receipts = answers.expect(topics.RECEIPT.of("m1"), times=3, epoch=EPOCH)
    assert [receipt["stored"] for receipt in receipts] == [[[1, 2]], [[3, 3]], [[1, 1]]]
    assert [m.t_ns for m in answers.messages] == [1 * S, 1 * S + 1, 9 * S]


def test_what_comes_close_together_can_be_one_batch() -> None:
    database = Database()
    handler = IngestHandler(Ingest(NoArchive(), database, database), batch_s=0.01)
    receipts = replay(CAPTURE, handler).expect(topics.RECEIPT.of("m1"), times=2)
    assert [receipt["stored"] for receipt in receipts] == [[[1, 3]], [[1, 1]]]
