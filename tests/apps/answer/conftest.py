"""A few documents of every kind, in English and Chinese, and their index."""

from pathlib import Path

import pytest

from speaq.apps.answer.building import index
from speaq.apps.answer.index import IndexSettings

TEXTS = {
    "pump.md": "# Pump P-7\n\nThe pump P-7 was built in 1998 by Anna Keller in Zurich. It weighs "
    "14 kg.\n\n## Care\n\nChange the filter every six months. Never open the pump while it is "
    "hot.\n",
    "保修.txt": "专业版的保修期是三年。基础版的保修期是一年。\n\n"
    "专业版的价格是五千元，基础版的价格是两千元。退货须在三十天内办理。\n",
    "faq.csv": "question,answer,category\n"
    "How do I reset the device?,Hold the red button for ten seconds.,device\n"
    "怎么开发票？,在订单页面点击“申请发票”。,订单\n",
    "hours.html": "<html><head><title>x</title></head><body>\n<h1>Hours</h1>\n"
    "<p>The office is open from <b>nine</b> to five &amp; on Saturdays until noon.</p>\n"
    "<script>var office = 'closed';</script></body></html>",
}


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    for name, text in TEXTS.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def indexed(documents: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "index"
    index(folder, [documents], IndexSettings())
    return folder
