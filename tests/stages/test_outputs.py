import pytest

from stages.outputs import replacing, write_json, write_text


def write(path, content, folder):
    """A file, or a folder that holds one."""
    if folder:
        path.mkdir()
        path = path / "content"
    path.write_text(content)


def read(path):
    return (path / "content" if path.is_dir() else path).read_text()


@pytest.mark.parametrize("folder", [False, True])
def test_a_complete_output_takes_the_place_of_the_former(tmp_path, folder):
    output = tmp_path / "below" / "output"
    for content in ("former", "new"):
        with replacing(output) as new:
            write(new, content, folder)
            assert not output.exists() or read(output) == "former"
        assert read(output) == content
    assert list(output.parent.iterdir()) == [output]


@pytest.mark.parametrize("folder", [False, True])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_output_that_failed_leaves_the_former_and_nothing_else(tmp_path, folder, error):
    output = tmp_path / "output"
    write(output, "former", folder)

    def fail():
        with replacing(output) as new:
            write(new, "half", folder)
            raise error

    with pytest.raises(error):
        fail()
    assert read(output) == "former"
    assert list(tmp_path.iterdir()) == [output]


def test_an_output_takes_the_place_of_a_link_and_not_of_what_it_points_to(tmp_path):
    (tmp_path / "cache").write_text("cached")
    (tmp_path / "output").symlink_to("cache")
    write_text(tmp_path / "output", "new")
    assert (tmp_path / "cache").read_text() == "cached"
    assert read(tmp_path / "output") == "new"


def test_json_is_readable_keeps_its_order_and_ends_with_a_line_end(tmp_path):
    write_json(tmp_path / "found.json", {"b": 1, "a": "Köln"})
    assert (tmp_path / "found.json").read_bytes() == '{\n  "b": 1,\n  "a": "Köln"\n}\n'.encode()


def test_json_that_others_cannot_read_is_not_written(tmp_path):
    write_json(tmp_path / "found.json", 1)
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "found.json", float("nan"))
    assert read(tmp_path / "found.json") == "1\n"
