"""What a verb said: taken as right, or as one sentence of refusal."""


def ok(told: tuple[int, str, str]) -> str:
    """What went to the output of a verb that did its work."""
    code, out, err = told
    assert code == 0, err
    return out


def refused(told: tuple[int, str, str]) -> str:
    """The one sentence of a verb that did nothing."""
    code, out, err = told
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert "Traceback" not in err
    return err
