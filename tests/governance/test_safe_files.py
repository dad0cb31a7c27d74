import io
import json
import pickle
import zipfile

import numpy as np
import pytest

from speaq.core.errors import UnsafeFileError
from speaq.governance.safe_files import require_safe


def archive(*names):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        for name in names:
            packed.writestr(name, b"x")
    return stream.getvalue()


def array(values):
    stream = io.BytesIO()
    np.save(stream, values, allow_pickle=True)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pytorch_model.bin", b""),
        ("model.PT", b""),
        ("rng_state.pth", b""),
        ("last.ckpt", b""),
        ("vectorizer.joblib", b""),
        ("deep/er/data.pkl", b""),
        ("weights", pickle.dumps({"a": 1}, protocol=2)),
        ("weights.dat", pickle.dumps({"a": 1}, protocol=5)),
        ("weights.model", archive("archive/data.pkl")),
        ("table.npy", array(np.array([{}], dtype=object))),
    ],
)
def test_a_pickle_is_refused_by_name_or_by_content(tmp_path, name, content):
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    with pytest.raises(UnsafeFileError, match=file.name):
        require_safe(tmp_path)


def test_what_holds_only_numbers_or_text_passes(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({}))
    # Its header is 0x0280 bytes long, which looks like a pickle's first two bytes.
    (tmp_path / "model.safetensors").write_bytes(b"\x80\x02" + bytes(6) + b"{}")
    (tmp_path / "table.npy").write_bytes(array(np.zeros(3)))
    (tmp_path / "notes.docx").write_bytes(archive("word/document.xml"))
    (tmp_path / "tokenizer.model").write_bytes(b"\x0a\x0e")
    (tmp_path / "empty").touch()
    require_safe(tmp_path)
