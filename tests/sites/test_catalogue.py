from pathlib import Path

import platformdirs
import pytest

from nbflow.errors import ConfigError
from nbflow.sites.catalogue import load_catalogue, project_file
from nbflow.sites.model import LOCAL, Scheduler

CENTRES = [
    "archer2",
    "delta",
    "expanse",
    "frontera",
    "frontier",
    "lumi",
    "perlmutter",
    "polaris",
    "stampede3",
]


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def user_sites() -> Path:
    return platformdirs.user_config_path("nbflow") / "sites"


def test_local_and_the_shipped_centres_are_always_there(project: Path) -> None:
    catalogue = load_catalogue()
    assert catalogue.names() == ["local", *CENTRES]
    assert catalogue.find("local") == LOCAL


@pytest.mark.parametrize("name", CENTRES)
def test_each_centre_says_where_its_facts_are_from(project: Path, name: str) -> None:
    site = load_catalogue().find(name)
    assert site.is_untested
    assert site.source.startswith("https://")
    assert site.login is not None
    assert site.scheduler is not Scheduler.LOCAL
    assert site.title


def test_places_are_laid_over_each_other_key_by_key(project: Path) -> None:
    environment = write(project.parent / "environment" / "etc/nbflow/sites/lumi.toml", "account = 'of-all'\n")
    write(user_sites() / "lumi.toml", "account = 'of-me'\n[login]\nuser = 'me'\n")
    mine = write(project / "nbflow.toml", "[other]\nx = 1\n\n[sites.lumi]\naccount = 'of-project'\n")
    catalogue = load_catalogue(project)
    site = catalogue.find("lumi")
    assert site.login is not None
    assert (site.account, site.login.user, site.login.host) == ("of-project", "me", "lumi.csc.fi")
    origin = catalogue.origins("lumi")["account"]
    assert (origin.file, origin.line) == (str(mine), 5)
    mine.unlink()
    (user_sites() / "lumi.toml").unlink()
    assert load_catalogue(project).find("lumi").account == "of-all"
    assert environment.exists()


def test_the_project_lies_here_or_above(project: Path) -> None:
    mine = write(project / "nbflow.toml", "[sites.mine]\n")
    below = project / "a" / "b"
    below.mkdir(parents=True)
    assert project_file(below) == mine


def test_a_wrong_description_hurts_no_other(project: Path) -> None:
    write(user_sites() / "broken.toml", "title = \n")
    write(user_sites() / "strange.toml", "titel = 'x'\n")
    write(user_sites() / "bad name.toml", "")
    catalogue = load_catalogue()
    assert {"broken", "strange", "bad name"} <= set(catalogue.names())
    for name, told in [
        ("broken", "line 1"),
        ("strange", "did you mean title"),
        ("bad name", "cannot be the name"),
    ]:
        with pytest.raises(ConfigError, match=told):
            catalogue.find(name)
    assert catalogue.find("lumi").name == "lumi"


def test_a_site_that_is_not_there_has_a_neighbour(project: Path) -> None:
    with pytest.raises(ConfigError, match="there is no site 'permutter'; did you mean perlmutter"):
        load_catalogue().find("permutter")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sites = 3", r"\[sites.NAME\]"),
        ("[sites]\nx = 3", "line 2: sites.x = 3"),
        ("[sites.'a/b']\ntitle='x'", "'a/b' cannot"),
    ],
)
def test_a_wrong_project_file_is_told(project: Path, text: str, told: str) -> None:
    write(project / "nbflow.toml", text)
    with pytest.raises(ConfigError, match=told):
        load_catalogue()


def test_local_can_be_shaped(project: Path) -> None:
    write(project / "nbflow.toml", "[sites.local.block]\nnodes = 2\n")
    site = load_catalogue().find("local")
    assert (site.block.nodes, site.python, site.title) == (2, LOCAL.python, LOCAL.title)
