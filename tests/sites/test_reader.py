"""A site's description: what each key may say, and how what is wrong is told."""

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbflow.errors import ConfigError
from nbflow.sites.leaves import Leaf, Origin, read_leaves
from nbflow.sites.model import Authentication, LauncherName, Login, NodeShape, Partition, Scheduler, Site
from nbflow.sites.reader import build_site

WHOLE = """\
title = "My cluster"
scheduler = "slurm"
working_directory = "$SCRATCH/${USER}/nb flow"
python = "~/venv/bin/python"
launcher = "srun"
setup = ["module load python", "export A='b c'"]
account = "abc123"
directives = ["--constraint=cpu"]
partition = "normal"
notes = '''
Two
lines'''
source = "https://example.org"
untested = true

[login]
host = "login.example.org"
user = "me"
port = 2222
jump = "me@gate.example.org:22,other"
authentication = "interactive"

[environment]
OMP_NUM_THREADS = "1"
ODD = "$(id) ; `id`"

[block]
nodes = 2
workers_per_node = 8
threads_per_worker = 2
cores_per_node = 16
memory = "64 GiB"
gpus_per_node = 1
walltime = "00:30:00"

[limits]
init_blocks = 1
min_blocks = 0
max_blocks = 4

[partitions.normal]
max_nodes = 10
max_walltime = "2 days"
cores = 64
memory = "256 GB"
gpus = 4
"""


def read(tmp_path: Path, text: str | bytes, name: str = "mine") -> Site:
    path = tmp_path / "site.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return build_site(name, read_leaves(path))


def refusal(tmp_path: Path, text: str | bytes, name: str = "mine") -> str:
    with pytest.raises(ConfigError) as raised:
        read(tmp_path, text, name)
    return str(raised.value)


def test_every_key_is_read(tmp_path: Path) -> None:
    site = read(tmp_path, WHOLE)
    assert site.scheduler is Scheduler.SLURM
    assert site.launcher is LauncherName.SRUN
    assert site.login == Login(
        host="login.example.org",
        user="me",
        port=2222,
        jump="me@gate.example.org:22,other",
        authentication=Authentication.INTERACTIVE,
    )
    node = NodeShape(cores=64, memory_nbytes=256 * 10**9, gpus=4)
    assert site.partitions == (
        Partition(name="normal", max_nodes=10, max_walltime_seconds=172_800, node=node),
    )
    assert site.find_partition() is site.partitions[0]
    assert site.setup == ("module load python", "export A='b c'")
    assert site.environment == {"OMP_NUM_THREADS": "1", "ODD": "$(id) ; `id`"}
    assert (site.block.memory_nbytes, site.block.walltime_seconds, site.block.nodes) == (64 << 30, 1800.0, 2)
    assert (site.limits.init_blocks, site.limits.max_blocks) == (1, 4)
    assert (site.notes, site.is_untested, site.account) == ("Two\nlines", True, "abc123")


def test_an_empty_description_is_a_site_of_this_machine(tmp_path: Path) -> None:
    assert read(tmp_path, "") == Site(name="mine")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            '\nschedular = "slurm"',
            "line 2: schedular = 'slurm': there is no such key; did you mean scheduler?",
        ),
        (
            'scheduler = "slrum"',
            "give one of local, slurm, pbs, gridengine, lsf, htcondor; did you mean slurm?",
        ),
        ('[block]\n\nwalltime = "30"', "line 3: block.walltime = '30': give a duration with its unit"),
        ("[block]\nwalltime = 30", "line 2: block.walltime = 30: give a duration with its unit"),
        ("[block]\nwalltimes = 30", "did you mean block.walltime?"),
        ("block = 3", "block = 3: this is a table, of block.cores_per_node, "),
        ('login.user = "me"', "line 1: login.user = 'me': login.host is missing beside it"),
        ("[partitions.a]\nmax_node = 3", "did you mean partitions.a.max_nodes?"),
        ('[partitions."a b"]\nmax_nodes = 3', "'a b' cannot be a name"),
        ('[environment]\n"A-B" = "x"', "'A-B' cannot be a name"),
        ("setup = 'module load x'", "give a list of texts"),
        ("untested = 1", "give true or false"),
        (
            "[limits]\nmin_blocks = 3\nmax_blocks = 2",
            "line 2: limits.min_blocks = 3: limits.min_blocks is more",
        ),
        ("[limits]\nmax_blocks = 0\ninit_blocks = 1", "limits.init_blocks is more than limits.max_blocks"),
        ('partition = "a"\n[block]\nnodes = 3\n[partitions.a]\nmax_nodes = 2', "line 3: block.nodes = 3"),
        (
            'partition = "a"\n[partitions.a]\nmax_walltime = "1 min"',
            "block.walltime is more than partition a gives",
        ),
        ('partition = "a"\n[block]\ngpus_per_node = 1\n[partitions.a]\ncores = 2', "gpus_per_node is more"),
        ('partition = "a"\n[block]\ncores_per_node = 9\n[partitions.a]\ncores = 2', "cores_per_node is more"),
        ("account = 1979-05-27", "give a text of 1 to"),
    ],
)
def test_what_is_wrong_is_told_with_line_key_and_advice(tmp_path: Path, text: str, told: str) -> None:
    message = refusal(tmp_path, text)
    assert message.startswith(f"{tmp_path / 'site.toml'}, line ")
    assert told in message


def test_local_is_this_machine(tmp_path: Path) -> None:
    assert "site local is this machine" in refusal(tmp_path, 'login.host = "x"', "local")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(
            'account = "a"\naccount = "b"', ", line 2: Cannot overwrite a value: ", id="duplicated key"
        ),
        pytest.param("[block]\nnodes = 1\n[block]", ", line 3: ", id="duplicated table"),
        pytest.param("a = " + "[" * 100_000, "nested too deeply", id="nested too deeply"),
        pytest.param(b"title = '" + b"x" * 10_000_000 + b"'", "is larger than 1 MiB", id="10 MB"),
        pytest.param("title = 'a\0b'", ", line 1: ", id="NUL"),
        pytest.param('title = "a\\u0000b"', "cannot be seen: '\\x00'", id="escaped NUL"),
        pytest.param("title = 'a\u202eb'", "cannot be seen: '\\u202e'", id="right to left"),
        pytest.param("account = 'a\u200bb'", "cannot be seen: '\\u200b'", id="zero width"),
        pytest.param("sc\u200bheduler = 'slurm'", ", line 1: ", id="zero width in a bare key"),
        pytest.param("'sc\u200bheduler' = 'slurm'", "'sc\\u200bheduler' = ", id="zero width in a key"),
        pytest.param(
            "working_directory = '${${HOME}}/x'", "variables are $NAME or ${NAME}", id="nested variables"
        ),
        pytest.param(
            "working_directory = '$(id)/x'", "variables are $NAME or ${NAME}", id="command in a path"
        ),
        pytest.param("working_directory = 'x/y'", "starts with /, ~/ or $NAME", id="relative path"),
        pytest.param("account = 'a;id'", "give a name of letters", id="metacharacter in an account"),
        pytest.param("partition = '-x'", "give a name of letters", id="option in a partition"),
        pytest.param("login.host = '-oProxyCommand=id'", "give the name of a host", id="option in a host"),
        pytest.param("login.jump = '-J x'", "give hosts as", id="option in a jump"),
        pytest.param("limits.max_blocks = -1", "give a whole number from 0", id="negative limit"),
        pytest.param("block.nodes = nan", "give a whole number from 1", id="NaN"),
        pytest.param("block.nodes = true", "give a whole number from 1", id="boolean for a number"),
        pytest.param("block.memory = '-4 GB'", "give a size", id="negative size"),
        pytest.param("block.memory = inf", "give a size", id="infinity"),
        pytest.param("block.walltime = 9999-12-31T00:00:00Z", "give a duration", id="year 9999"),
        pytest.param("block.walltime = '9999 days'", "at most 366 days", id="9999 days"),
        pytest.param('setup = ["a\\nb"]', "cannot be seen: '\\n'", id="two lines in one"),
        pytest.param(b"title = '\xff'", ", line 1: is not text in UTF-8", id="not UTF-8"),
    ],
)
def test_B3_bad_entries_are_refused_with_path_and_reason(
    tmp_path: Path, text: str | bytes, told: str
) -> None:
    message = refusal(tmp_path, text)
    assert str(tmp_path / "site.toml") in message
    assert told in message
    assert message.isprintable()
    assert len(message) < 2000


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=40))
def test_B3_metacharacters_are_refused_or_kept_as_they_are(value: str) -> None:
    for path in (("environment", "A"), ("account",), ("working_directory",), ("python",), ("login", "host")):
        site, refused = build(path, value)
        if site is None:
            assert refused.startswith("x.toml, line 1: ")
            continue
        kept = [site.environment.get("A"), site.account, site.working_directory, site.python]
        assert value in [*kept, site.login.host if site.login else None]
        if path == ("account",):
            assert shlex.split(value) == [value]


def build(path: tuple[str, ...], value: str) -> tuple[Site | None, str]:
    try:
        return build_site("x", {path: Leaf(value, Origin("x.toml", 1))}), ""
    except ConfigError as error:
        return None, str(error)
