"""The report is one file that fetches nothing, escapes everything, and says what the numbers are and are not."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from shared.reported import NAME, Report, read_reported
from tests.deploy.compose import copied
from tests.fakes import images
from tests.fakes.evaluation import EMPTY, Answers, Study, model_folder, square
from trainer.evaluation import report
from trainer.evaluation.evaluate import Question, evaluate

NASTY = "<script>alert('x')</script> & $\\frac{1}{2}$"
PROJECTS = [
    Report(
        "lgg-unet", "An earlier project", "README.md", "Dice 91 %", "ten patients", "chosen by these very ten"
    ),
    Report("other", f"Another {NASTY}", "a notebook", "IoU 84 %", "slices", "neighbours were trained on"),
]
NAMES = "ABCDE"
TRUTHS = {name: [EMPTY, square(), square(height=6)] for name in NAMES}
FOUND = {name: [EMPTY, square(width=n), square(height=6, width=n)] for n, name in enumerate(NAMES, start=1)}
VOID = {"meta", "img", "source", "link", "br", "hr", "input"}
FETCHES = {"src", "srcset", "href", "data", "poster", "action", "background"}


@dataclass
class Page(HTMLParser):
    """What a browser would make of it: tags, attributes, text; complains about tags that do not match."""

    text: str = ""
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    def __post_init__(self):
        super().__init__()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data


def page_of(html):
    page = Page()
    page.feed(html)
    page.close()
    assert page.open == []
    return page


def made(root, dataset, folder, found=None, against=None, split="all", name="study"):
    """The report's HTML of an evaluation by heart."""
    found = found or FOUND
    answers = Answers(**{folder.name: found, **({} if against is None else {against.name: TRUTHS})})

    def render(result, shown, model):
        at = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
        return report.render(result, shown, model, projects=PROJECTS, now=lambda: at)

    question = Question(folder, against, dataset, name, split, None, "cpu")
    evaluate(question, root, lambda share: None, answers.tools(render))
    return (root / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    """With everything that there can be, and names that no template should trust."""
    root = tmp_path_factory.mktemp("full")
    groups = {
        "site": {name: NASTY if name in "AB" else "Y" for name in NAMES},
        NASTY: dict.fromkeys(NAMES, "Z"),
    }
    dataset = Study(TRUTHS, groups=groups, spacings=dict.fromkeys(NAMES, (4.0, 0.5, 0.5)))
    folder = model_folder(
        root, "ours", learned=dataset.digests("E"), provenance={"recipe": {"name": "lgg-unet"}},
        architecture=NASTY, not_for=NASTY, licence=NASTY,
    )  # fmt: skip
    (folder / "history.json").write_text(
        '[{"epoch": 1, "train_loss": 0.5, "validation_dice": 0.8}, {"epoch": "x"}, 7]'
    )
    return made(root, dataset, folder, against=model_folder(root, "theirs"), name=NASTY)


def test_it_is_well_formed_and_has_no_script(full):
    tags = {tag for tag, _ in page_of(full).tags}
    assert tags.isdisjoint({"script", "iframe", "object", "embed", "link", "form"})
    assert {"table", "img", "figure", "h1"} <= tags


def test_nothing_is_fetched(full):
    for tag, attributes in page_of(full).tags:
        for name in FETCHES & set(attributes):
            assert attributes[name].startswith("data:image/"), (tag, name)
        assert not any(name.startswith("on") for name in attributes), tag
    style = full.partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style


def test_a_policy_forbids_what_the_page_does_not_need(full):
    policies = [
        a["content"] for tag, a in page_of(full).tags if a.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policies == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]


def test_names_from_outside_are_text(full):
    assert "<script" not in full
    assert page_of(full).text.count(NASTY) >= 6


def test_every_picture_is_described(full):
    described = [attributes.get("alt") for tag, attributes in page_of(full).tags if tag == "img"]
    assert len(described) >= 3 * 4 + 5
    assert all(text and text.strip() for text in described)
    assert any("pixels of tumour in both" in text for text in described)


def test_charts_are_there_for_light_and_dark_pages(full):
    dark = [a for tag, a in page_of(full).tags if tag == "source"]
    assert len(dark) >= 5
    assert all(a["media"] == "(prefers-color-scheme: dark)" for a in dark)
    assert "prefers-color-scheme: dark" in full.partition("<style>")[2]


def test_what_the_numbers_are_and_are_not_is_said(full):
    text = " ".join(page_of(full).text.split())
    for said in (
        "Not a medical device",
        "Best: p-",
        "Worst: p-",
        "It is no",
        "kept out of the headline",
        "Patients that the model learned from",
        "Against theirs",
        "one-way ANOVA",
        "HD95, mm",
        "mm²",
        "Taha and Hanbury 2015",
        "both empty slices",
        "Made 2026-01-02 03:04 UTC",
        "auto-for-ours on cpu; theirs: auto-for-theirs on cpu",
        "How the model was trained",
    ):
        assert said in text


def test_the_earlier_projects_stand_beside_ours_with_the_reason(full):
    text = " ".join(page_of(full).text.split())
    ours, same, other = (
        text.index(part) for part in ("this evaluation", "An earlier project", "Another <script>")
    )
    assert ours < same < other
    assert "recipe lgg-unet, as this model's" in text
    assert "chosen by these very ten" in text


def test_patients_are_pseudonyms(full):
    rows = page_of(full).text
    assert rows.count("p-") > len(NAMES)
    assert "A/1.png" not in full


@pytest.mark.parametrize("split", ["test", "all"])
def test_a_split_by_slice_is_warned_of(tmp_path, split):
    provenance = {"recipe": {"split": "slice"}, "split": {"test": [f"{name}/2" for name in NAMES]}}
    html = made(tmp_path, Study(TRUTHS), model_folder(tmp_path, provenance=provenance), split=split)
    assert "Split by slice." in page_of(html).text


def test_agreement_with_circles_is_not_called_accuracy(tmp_path):
    folder = model_folder(tmp_path, not_for="nothing", licence="none")
    text = page_of(made(tmp_path, Study(TRUTHS, truth="synthetic circles"), folder)).text
    assert "Agreement with synthetic circles (Dice)" in text
    assert "nobody outlined these tumours" in text
    assert "accuracy" not in text.casefold()


def test_without_a_headline_the_reason_and_the_patients_seen_remain(tmp_path):
    dataset = Study(TRUTHS)
    html = made(tmp_path, dataset, model_folder(tmp_path, learned=dataset.digests(*NAMES)))
    text = page_of(html).text
    assert "no number" in text
    assert "There is no headline: all 5 patients" in text
    assert "These are patients that the model learned from." in text
    assert "Paired t-test" not in text


@pytest.mark.parametrize("count", [1, 2])
def test_very_few_patients_make_a_report(tmp_path, count):
    truths = {name: TRUTHS[name] for name in NAMES[:count]}
    html = made(tmp_path, Study(truths), model_folder(tmp_path))
    assert ("Only: p-" if count == 1 else "Best: p-") in page_of(html).text


def test_a_dataset_without_any_tumour_makes_a_report(tmp_path):
    nobody = {name: [EMPTY, EMPTY] for name in NAMES}
    html = made(tmp_path, Study(nobody), model_folder(tmp_path), found=nobody)
    assert (
        "5 patients without tumour, rightly left empty, counted as 1; with tumour alone: –."
        in page_of(html).text
    )


def test_what_volumes_without_tumour_add_to_the_mean_is_said(tmp_path):
    truths, found = TRUTHS | {"F": [EMPTY]}, FOUND | {"F": [EMPTY]}
    text = page_of(made(tmp_path, Study(truths), model_folder(tmp_path), found)).text
    alone = sum(2 * n / (n + 4) if n < 5 else 2 * 4 / (4 + 5) for n in range(1, 6)) / 5
    assert (
        f"1 patient without tumour, rightly left empty, counted as 1; with tumour alone: {alone:.3f}." in text
    )


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "{",
        '[{"epoch": 1, "train_loss": 1e300}]',
        "{}",
        "7",
        '[{"epoch": true}]',
        '[{"epoch": 1, "train_loss": NaN}]',
    ],
)
def test_a_history_of_another_kind_is_left_out(tmp_path, content):
    folder = model_folder(tmp_path)
    (folder / "history.json").write_text(content)
    assert report.training(folder) is None
    (folder / "curves.png").write_bytes(b"<svg onload='alert(1)'>")
    assert report.training(folder) is None
    (folder / "curves.png").write_bytes(images.png(images.picture()))
    assert report.training(folder) == images.png(images.picture())


def test_the_project_s_own_file_of_reported_numbers_is_whole():
    assert len(read_reported(report.RECIPES).all()) >= 5


def test_the_worker_s_image_has_the_template_and_the_reported_numbers():
    there = copied("Dockerfile.gpu")
    for path in (report.TEMPLATES / "report.html", report.TEMPLATES / "report.css", report.RECIPES / NAME):
        assert path.is_file()
        relative = path.relative_to(report.RECIPES.parent)
        assert any(relative.is_relative_to(source) for source in there), relative
