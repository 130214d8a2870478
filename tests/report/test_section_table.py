"""How a page shows a table: the spare columns of a wide one apart, and the first rows of a long one."""

from ablation.report.section import MOST_COLUMNS, STATISTICS, Rows, Table

KEYS = tuple("abcdefgh")


def wide(**options):
    row = {key: key.upper() for key in KEYS} | {"note": "why"}
    return Table({key: f"head {key}" for key in KEYS}, (Rows((row, row), "group", True),), "About.", **options)


def test_spare_columns_of_a_wide_table_stand_apart_beside_its_first():
    main, rest = wide(spare=("g", "c")).parts()
    assert list(main.headers) == ["a", "b", "d", "e", "f", "h"]
    assert list(rest.headers) == ["a", "c", "g"]
    assert (main.caption, main.folded, rest.caption, rest.folded) == ("About.", "", "", STATISTICS)
    (group,) = rest.groups
    assert (group.title, group.pooled, len(group.rows)) == ("group", True, 2)
    assert [row["note"] for row in group.rows] == ["", ""]
    assert [row["note"] for row in main.groups[0].rows] == ["why", "why"]


def test_every_column_is_in_one_of_the_two():
    table = wide(spare=("g", "c", "h"))
    main, rest = table.parts()
    assert {**main.headers, **rest.headers} == table.headers
    assert set(main.headers) & set(rest.headers) == {"a"}


def test_a_table_that_is_not_wide_stays_whole():
    narrow = Table({key: key for key in KEYS[:MOST_COLUMNS]}, (), spare=("b",))
    assert narrow.parts() == (narrow, None)
    without = wide()
    assert without.parts() == (without, None)


def rows(count, title="", pooled=False):
    return Rows(tuple({"a": f"{title}{number}"} for number in range(count)), title, pooled)


def test_a_long_table_has_its_first_rows_and_all_that_is_pooled():
    table = Table({"a": "a"}, (rows(5, "adam"), rows(5, "sgd"), rows(5, "lamb"), rows(4, "all", True)), most=11)
    head, left_out = table.head()
    assert [(group.title, len(group.rows)) for group in head.groups] == [("adam", 5), ("sgd", 2), ("all", 4)]
    assert left_out == 8
    assert head.groups[1].rows[1]["a"] == "sgd1"


def test_what_is_pooled_stays_though_it_is_more_than_the_page_has_room_for():
    head, left_out = Table({"a": "a"}, (rows(5, "adam"), rows(9, "all", True)), most=6).head()
    assert [(group.title, len(group.rows)) for group in head.groups] == [("all", 9)]
    assert left_out == 5


def test_a_table_with_room_for_all_stays_whole():
    table = Table({"a": "a"}, (rows(30),))
    assert table.head() == (table, 0)
    assert table.head()[0] is table
