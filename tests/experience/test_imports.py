"""What importing costs."""

import subprocess
import sys

import pytest

import speaq.experience


@pytest.mark.parametrize(
    ("module", "without"),
    [
        ("speaq.experience", "sqlalchemy pyarrow torch numpy charset_normalizer"),
        ("speaq.experience.episode", "sqlalchemy pyarrow torch numpy charset_normalizer"),
        ("speaq.experience.rewards", "sqlalchemy pyarrow torch charset_normalizer"),
        ("speaq.experience.importers", "sqlalchemy pyarrow torch"),
        ("speaq.experience.store", "pyarrow torch"),
    ],
)
def test_importing_brings_only_what_is_needed(module, without):
    code = f"import sys, {module}; print(*(set({without.split()!r}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_every_public_name_is_there():
    names = {name: getattr(speaq.experience, name) for name in speaq.experience.__all__}
    assert sorted(names) == dir(speaq.experience)
    with pytest.raises(AttributeError, match="Episodes"):
        _ = speaq.experience.Episodes
