"""Checks the built manual: `python .ci/check_site.py build/html`, which `tox run -e docs` does.

Every link within it leads to a page and a section that exist, every picture has a text, headings are in order, no page
shows markup, asks another host for anything or is too heavy, every section that an error of the library names is there,
and the search finds what a reader looks for.
"""

from __future__ import annotations

import html
import itertools
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

MAX_PAGE_KIB = 400  # of HTML
MAX_LOAD_KIB = 900  # with style sheets, scripts and pictures that the page loads
# Which page a reader finds first by a word: each word is a main entry of its index.
WANTED = {
    "pytest": "testing",
    "unittest": "testing",
    "moto": "testing",
    "mock": "testing",
    "rotate": "caching",
    "refresh": "caching",
    "thread": "caching",
    "uwsgi": "servers",
    "gunicorn": "servers",
    "uvicorn": "servers",
    "fork": "servers",
    "multiprocessing": "servers",
    "kubernetes": "many-machines",
    "pod": "many-machines",
    "airflow": "many-machines",
    "spark": "many-machines",
    "celery": "many-machines",
    "ray": "many-machines",
    "export": "other-programs",
    "terraform": "other-programs",
    "docker": "other-programs",
    "grafana": "operate",
    "prometheus": "operate",
    "opentelemetry": "operate",
    "metrics": "operate",
    "403": "troubleshooting",
    "invalidaccesskeyid": "troubleshooting",
    "expired": "troubleshooting",
    "proxy": "proxies",
    "migrate": "migrate-credentials",
    "boto3": "migrate-boto3",
    "windows": "start",
    "macos": "start",
    "typing": "start",
    "mypy": "start",
    "async": "async",
    "asyncio": "async",
    "rrsa": "providers/oidc-role-arn",
}
CODE = re.compile(r"<pre\b.*?</pre>|<code\b.*?</code>|<(script|style)\b.*?</\1>", re.DOTALL)
MARKUP = re.compile(r"\{[a-z-]+\}`|^:[a-z-]+: |`{3}|\(\*args, |<!--|\]\(|Bases: object", re.MULTILINE)
LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "srcset", "video": "src", "audio": "src"}
STYLES = {"stylesheet", "icon", "preload", "preconnect", "dns-prefetch"}


class Page(HTMLParser):
    """The links, sections and loaded files of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.sections: set[str] = set()
        self.loads: set[str] = set()
        self.without_text: list[str] = []
        self.headings: list[int] = []
        self.description = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what the tag refers to."""
        values = {name: value or "" for name, value in attrs}
        self.sections |= {values[name] for name in ("id", "name") if values.get(name)}
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "a" and "href" in values:
            self.links.add(values["href"])
        if values.get(LOADS.get(tag, "")):
            self.loads.add(values[LOADS[tag]])
        if tag == "link" and set(values.get("rel", "").split()) & STYLES:
            self.loads.add(values["href"])
        if tag == "meta" and values.get("property") == "og:description":
            self.description = values["content"]
        if tag == "img" and not values.get("alt"):
            self.without_text.append(values.get("src", ""))

    def leaps(self) -> list[tuple[int, int]]:
        """Pairs of headings that leave out a level."""
        return [(high, low) for high, low in itertools.pairwise(self.headings) if low > high + 1]


def check(site: Path) -> list[str]:
    """What is wrong with the site, one line each."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    problems: list[str] = []
    for path, page in pages.items():
        name = str(path.relative_to(site))
        problems += [f"{name}: the picture {source} has no text" for source in page.without_text]
        problems += [f"{name}: {link} leads nowhere" for link in sorted(page.links) if not leads(link, path, pages)]
        problems += [f"{name}: asks another host for {url}" for url in sorted(page.loads) if is_elsewhere(url)]
        problems += [f"{name}: a heading of level {low} under one of level {high}" for high, low in page.leaps()]
        shown = html.unescape(re.sub(r"<[^>]+>", "", CODE.sub("", path.read_text(encoding="utf-8"))))
        problems += [f"{name}: shows the markup {markup!r}" for markup in sorted(set(MARKUP.findall(shown)))]
        problems += weights(name, path, page)
        if not page.description and name not in {"genindex.html", "search.html"}:
            problems.append(f"{name}: has no description")
    for style in site.rglob("*.css"):
        for url in re.findall(r"(?:url\(|@import )['\"]?([^)'\"; ]+)", style.read_text(encoding="utf-8")):
            if is_elsewhere(url):
                problems.append(f"{style.relative_to(site)}: asks another host for {url}")
    return [*problems, *sections_of_errors(site, pages), *words(site)]


def is_elsewhere(url: str) -> bool:
    """True for a URL of another host."""
    parts = urlsplit(url)
    return bool(parts.netloc) or parts.scheme in {"http", "https"}


def leads(link: str, path: Path, pages: dict[Path, Page]) -> bool:
    """Whether a link of a page leads to something; links to other hosts are not followed."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return True
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if target.is_dir():
        target /= "index.html"
    if target not in pages:
        return target.is_file()
    return not parts.fragment or unquote(parts.fragment) in pages[target].sections


def weights(name: str, path: Path, page: Page) -> list[str]:
    """Whether a page is too heavy, by itself and with what it loads."""
    size = path.stat().st_size
    local = [url for url in page.loads if url and not is_elsewhere(url) and not url.startswith("data:")]
    files = {(path.parent / unquote(urlsplit(url).path)).resolve() for url in local}
    load = size + sum(file.stat().st_size for file in files if file.is_file())
    found = []
    if size > MAX_PAGE_KIB * 1024 and name != "genindex.html":
        found.append(f"{name}: {size // 1024} KiB of HTML, more than {MAX_PAGE_KIB}")
    if load > MAX_LOAD_KIB * 1024:
        found.append(f"{name}: loads {load // 1024} KiB, more than {MAX_LOAD_KIB}")
    return found


def sections_of_errors(site: Path, pages: dict[Path, Page]) -> list[str]:
    """Whether every section that the texts of errors name is on the page of errors."""
    errors = Path(__file__).parents[1] / "src" / "ramrole_creds" / "errors.py"
    named = set(re.findall(r'_section = "([\w-]+)"|": "(stserror-[\w-]+)"', errors.read_text(encoding="utf-8")))
    sections = pages[site / "troubleshooting.html"].sections
    return [f"troubleshooting.html: no section {one}" for pair in named for one in pair if one and one not in sections]


def words(site: Path) -> list[str]:
    """Whether the search finds the right pages: main entries of the index come first."""
    text = (site / "searchindex.js").read_text(encoding="utf-8")
    index = json.loads(text.removeprefix("Search.setIndex(").rstrip().removesuffix(")"))
    found = []
    for word, page in WANTED.items():
        entries = index["indexentries"].get(word, [])
        if page not in {index["docnames"][number] for number, _, is_main in entries if is_main}:
            found.append(f"the search does not lead from {word!r} to {page}")
    return found


def main() -> int:
    """Print what is wrong; 1 if anything is."""
    site = Path(sys.argv[1]).resolve()
    problems = check(site)
    print("\n".join(problems) or f"The manual: {site / 'index.html'}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
